"""Responses as records to compare: a parser of its own, names decompressed, order kept."""

import dataclasses
import struct

from . import wire

NSEC3 = 50

# Octets before the names in RDATA, and how many names: RFC 1035 §3.3 and RFC 3597 §4.
_NAMES = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1),
          12: (0, 1), 14: (0, 2), 15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1), 24: (18, 1),
          26: (2, 2), 30: (0, 1), 33: (6, 1)}


@dataclasses.dataclass(frozen=True)
class Record:
    section: int
    owner: bytes  # lower case
    rtype: int
    rclass: int
    ttl: int
    rdata: bytes

    @property
    def rrset(self) -> tuple:
        covered = self.rdata[:2] if self.rtype == wire.RRSIG else b""
        return self.section, self.owner, self.rtype, self.rclass, covered


@dataclasses.dataclass(frozen=True)
class Response:
    flags: int
    rcode: int  # of the header
    question: bytes  # empty if it is not repeated
    records: tuple[Record, ...]  # without OPT
    edns: bool


def _name(message: bytes, at: int) -> tuple[bytes, int]:
    """A name uncompressed, and the offset behind where it was read."""
    labels, end = [], None
    while length := message[at]:
        if length >= 0xC0:
            end = end or at + 2
            target = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            assert target < at, "a pointer that does not point back"
            at = target
        else:
            labels.append(message[at : at + 1 + length])
            at += 1 + length
    return b"".join(labels) + b"\0", end or at + 1


def _rdata(message: bytes, rtype: int, begin: int, end: int) -> bytes:
    if rtype not in _NAMES or begin == end:
        return message[begin:end]
    before, names = _NAMES[rtype]
    parts, at = [message[begin : begin + before]], begin + before
    for _ in range(names):
        name, at = _name(message, at)
        parts.append(name.lower())
    return b"".join(parts) + message[at:end]


def parse(message: bytes) -> Response:
    _, flags, questions, *counts = struct.unpack_from("!HHHHHH", message)
    assert questions <= 1, questions
    at = _name(message, 12)[1] + 4 if questions else 12
    question, records, edns = message[12:at], [], False
    for section, count in enumerate(counts):
        for _ in range(count):
            owner, at = _name(message, at)
            rtype, rclass, ttl, length = struct.unpack_from("!HHIH", message, at)
            at += 10
            if rtype == wire.OPT:
                edns = True
            else:
                rdata = _rdata(message, rtype, at, at + length)
                records.append(Record(section, owner.lower(), rtype, rclass, ttl, rdata))
            at += length
    assert at == len(message), "octets behind the last record"
    return Response(flags, flags & 0xF, question, tuple(records), edns)


# --- what a cache may make of it -------------------------------------------------------------


TTL_MAX, NEGATIVE_TTL_MAX = 86_400, 3_600


def asked_for(response: Response, qtype: int, dnssec_ok: bool) -> list[Record]:
    """RFC 4035 §3.2.1: who did not ask for DNSSEC gets none of its records."""
    dnssec = (wire.RRSIG, wire.NSEC, NSEC3)
    return [record for record in response.records
            if dnssec_ok or qtype in (record.rtype, 255) or record.rtype not in dnssec]


def bounded(records: list[Record], qtype: int, rcode: int) -> tuple[list[int], bool]:
    """The TTLs as sotto may give them when they are new, and whether they may be kept:
    RFC 2308 §5, RFC 2181 §8, RFC 8767 §4, written once more for comparison."""
    data = rcode == wire.NOERROR and any(
        record.section == 0 and qtype in (record.rtype, 255) for record in records)
    soas = [record for record in records if record.section == 1 and record.rtype == wire.SOA]
    negative = not data and rcode in (wire.NOERROR, wire.NXDOMAIN)
    ttls = []
    for record in records:
        ttl = min(record.ttl, TTL_MAX)
        signs_soa = record.rtype == wire.RRSIG and record.rdata[:2] == b"\0\x06"
        if negative and soas and record.section == 1 and (record in soas or signs_soa):
            (minimum,) = struct.unpack("!I", soas[0].rdata[-4:])
            ttl = min(ttl, minimum, NEGATIVE_TTL_MAX)
        ttls.append(ttl)
    return ttls, (data or negative and bool(soas)) and min(ttls, default=0) > 0
