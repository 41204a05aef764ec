"""DNS messages by hand: fast enough for thousands of queries, and able to be wrong on purpose.

Tests that need nothing special use dnspython instead.
"""

import dataclasses
import hashlib
import struct

A, NS, CNAME, SOA, TXT, AAAA, OPT, RRSIG, NSEC = 1, 2, 5, 6, 16, 28, 41, 46, 47
IN, CH = 1, 3
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
ECS, COOKIE, KEEPALIVE, PADDING, EDE = 8, 10, 11, 12, 15


def name_octets(text: str) -> bytes:
    """Plain names only: no escapes."""
    labels = [label.encode("latin-1") for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def opt_record(
    options: bytes = b"", *, udp_octets: int = 1_232, rcode: int = 0, version: int = 0,
    flags: int = 0
) -> bytes:
    """flags: the 16 bits behind VERSION, DO (0x8000) first."""
    return b"\0" + struct.pack(
        "!HHBBHH", OPT, udp_octets, rcode >> 4, version, flags, len(options)
    ) + options


def record(rtype: int, rdata: bytes, *, owner: bytes = b"\xc0\x0c", ttl: int = 300,
           rclass: int = IN) -> bytes:
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def query(name: str | bytes, rtype: int = A, *, ident: int = 0x1234, flags: int = RD,
          rclass: int = IN, opt: bytes | None = None) -> bytes:
    octets = name if isinstance(name, bytes) else name_octets(name)
    header = struct.pack("!HHHHHH", ident, flags, 1, 0, 0, 0 if opt is None else 1)
    return header + octets + struct.pack("!HH", rtype, rclass) + (opt or b"")


def framed(message: bytes) -> bytes:
    return struct.pack("!H", len(message)) + message


@dataclasses.dataclass(frozen=True)
class Query:
    """A query as a server saw it."""

    connection: int
    ident: int
    flags: int
    qname: bytes  # wire format, the spelling as received
    qtype: int
    qclass: int
    question: bytes  # the question section as received
    octets: int  # of the message
    edns: bool
    udp_octets: int
    edns_version: int
    edns_flags: int
    options: tuple[tuple[int, bytes], ...]

    @property
    def key(self) -> tuple[bytes, int, int]:
        return self.qname.lower(), self.qtype, self.qclass

    @property
    def name(self) -> str:
        """Text, dots only between labels as plain names have them."""
        labels, position = [], 0
        while length := self.qname[position]:
            labels.append(self.qname[position + 1 : position + 1 + length].decode("latin-1"))
            position += 1 + length
        return ".".join(labels) + "."

    @property
    def dnssec_ok(self) -> bool:
        return bool(self.edns_flags & 0x8000)

    def option(self, code: int) -> bytes | None:
        return next((value for number, value in self.options if number == code), None)


class Malformed(Exception):
    """Not what a forwarder may send: the fake upstream counts it."""


def parse_query(message: bytes, connection: int = 0) -> Query:
    """Strict: one question, no records but at most one OPT, nothing behind the last octet."""
    try:
        ident, flags, questions, answers, authorities, additionals = struct.unpack_from(
            "!HHHHHH", message
        )
        if (questions, answers, authorities) != (1, 0, 0) or additionals > 1:
            raise Malformed("counts")
        position = 12
        while length := message[position]:
            if length > 63:
                raise Malformed("label type in the question")
            position += 1 + length
        position += 1
        if position - 12 > 255:
            raise Malformed("name too long")
        qtype, qclass = struct.unpack_from("!HH", message, position)
        qname, position = message[12:position], position + 4
        question = message[12:position]
        udp_octets, version, edns_flags, options = 0, 0, 0, []
        if additionals:
            owner, rtype, udp_octets, _, version, edns_flags, length = struct.unpack_from(
                "!BHHBBHH", message, position
            )
            if owner or rtype != OPT:
                raise Malformed("a record that is not OPT")
            position += 11
            end = position + length
            while position < end:
                code, size = struct.unpack_from("!HH", message, position)
                options.append((code, message[position + 4 : position + 4 + size]))
                position += 4 + size
        if position != len(message):
            raise Malformed("octets behind the end, or missing")
    except (struct.error, IndexError) as error:
        raise Malformed(str(error)) from None
    return Query(connection, ident, flags, qname, qtype, qclass, question, len(message),
                 bool(additionals), udp_octets, version, edns_flags, tuple(options))


def respond(asked: Query, records: tuple[bytes, ...] = (), *, rcode: int = NOERROR,
            flags: int = RA, ident: int | None = None, question: bytes | None = None,
            authorities: tuple[bytes, ...] = (), edns: bool | None = None,
            options: bytes = b"") -> bytes:
    """A response to asked; every part can be replaced by a wrong one."""
    with_opt = asked.edns if edns is None else edns
    header = struct.pack(
        "!HHHHHH",
        asked.ident if ident is None else ident,
        QR | (asked.flags & (RD | CD)) | flags | (rcode & 0xF),
        1,
        len(records),
        len(authorities),
        1 if with_opt else 0,
    )
    body = (asked.question if question is None else question) + b"".join(records + authorities)
    return header + body + (opt_record(options, rcode=rcode) if with_opt else b"")


def oracle_address(qname: bytes) -> bytes:
    """The one right A record of a name; a crossed answer cannot equal it by chance."""
    return b"\x0a" + hashlib.sha256(qname.lower()).digest()[:3]


def oracle_text(name: str) -> str:
    """The same for plain names, in text."""
    return ".".join(str(octet) for octet in oracle_address(name_octets(name)))


def extended_error(code: int, text: str = "") -> bytes:
    return option(EDE, struct.pack("!H", code) + text.encode())
