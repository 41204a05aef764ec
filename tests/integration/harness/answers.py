"""What the fake upstream answers: each function turns a query into replies, right or faulty.

A reply is (seconds to wait, octets of the message), or a function that returns the octets, or
nothing, when the time has come. The functions with arguments return such a function. BEHAVIOUR.md
§2 lists the faults.
"""

import itertools
import random
import struct
from collections.abc import Callable, Iterable

from . import wire

Replies = Iterable[tuple[float, bytes | Callable[[], bytes | None]]]
Answer = Callable[[wire.Query], Replies]


def right_message(asked: wire.Query, **changes) -> bytes:
    """A: the oracle's address. TXT: one string. CH: likewise. Else: an empty NOERROR."""
    if asked.qtype == wire.A:
        records = (wire.record(wire.A, wire.oracle_address(asked.qname), rclass=asked.qclass),)
    elif asked.qtype == wire.TXT:
        records = (wire.record(wire.TXT, b"\x04text", rclass=asked.qclass),)
    else:
        records = ()
    return wire.respond(asked, records, **changes)


def right(asked: wire.Query) -> Replies:
    return [(0, right_message(asked))]


def nothing(_asked: wire.Query) -> Replies:
    return []


def late(seconds: float) -> Answer:
    return lambda asked: [(seconds, right_message(asked))]


def slow_names(prefix: str, seconds: float) -> Answer:
    """Names that begin with prefix are answered late, all others at once."""
    start = prefix.encode()
    return lambda asked: [(seconds if asked.qname[1:].startswith(start) else 0,
                           right_message(asked))]


def shuffled(spread: float) -> Answer:
    """Answers come out of order: the first queries of a burst last."""
    delays = itertools.cycle(spread * part / 8 for part in (7, 3, 5, 1, 6, 0, 4, 2))
    return lambda asked: [(next(delays), right_message(asked))]


def wrong(asked: wire.Query, kind: str) -> bytes:
    """A forged answer: its address is 192.0.2.66 so that nobody takes it for the right one."""
    forged = (wire.record(wire.A, b"\xc0\x00\x02\x42"),)
    other_name = wire.name_octets("forged.example")
    question = {
        "name": other_name + asked.question[-4:],
        "type": asked.question[:-4] + struct.pack("!H", wire.AAAA) + asked.question[-2:],
        "class": asked.question[:-2] + struct.pack("!H", wire.CH),
    }
    if kind == "id":
        return wire.respond(asked, forged, ident=asked.ident ^ 0x5555)
    return wire.respond(asked, forged, question=question[kind])


def once(faulty: Callable[[wire.Query], bytes]) -> Answer:
    """The first time each name is asked the answer is faulty, afterwards right."""
    seen: set[bytes] = set()

    def make(asked: wire.Query) -> Replies:
        first = asked.qname not in seen
        seen.add(asked.qname)
        return [(0, faulty(asked) if first else right_message(asked))]

    return make


def share(part: float, faulty: Callable[[wire.Query], bytes], seed: int = 1) -> Answer:
    """So large a part of the answers is faulty, by chance."""
    chance = random.Random(seed)
    return lambda asked: [(0, faulty(asked) if chance.random() < part else right_message(asked))]


def garbage(seed: int = 1) -> Callable[[wire.Query], bytes]:
    """Random octets; behind the right ID; behind the right question: each as often."""
    chance = random.Random(seed)

    def make(asked: wire.Query) -> bytes:
        octets = bytearray(chance.randbytes(12 + len(asked.question) + 16))
        right_octets = right_message(asked)
        right_length = chance.choice((0, 2, 12 + len(asked.question)))
        octets[:right_length] = right_octets[:right_length]
        return bytes(octets)

    return make


class Swapped:
    """A part of the answers goes out in pairs, each with the other's ID."""

    ALONE_SECONDS = 0.03  # a query that finds no partner is answered with an ID nobody asked for

    def __init__(self, part: float, seed: int = 1):
        self._pairs = part / (2 - part)
        self._chance = random.Random(seed)
        self._waiting: dict[int, wire.Query] = {}  # by connection

    def __call__(self, asked: wire.Query) -> Replies:
        partner = self._waiting.pop(asked.connection, None)
        if partner:
            return [(0, right_message(partner, ident=asked.ident)),
                    (0, right_message(asked, ident=partner.ident))]
        if self._chance.random() >= self._pairs:
            return right(asked)
        self._waiting[asked.connection] = asked
        return [(self.ALONE_SECONDS, lambda: self._alone(asked))]

    def _alone(self, asked: wire.Query) -> bytes | None:
        if self._waiting.get(asked.connection) is not asked:
            return None
        del self._waiting[asked.connection]
        return right_message(asked, ident=asked.ident ^ 0x5555)


def always_wrong(kind: str) -> Answer:
    return lambda asked: [(0, wrong(asked, kind))]


def duplicate(asked: wire.Query) -> Replies:
    return [(0, right_message(asked)), (0, right_message(asked)), (0.01, right_message(asked))]


def other_spelling(asked: wire.Query) -> Replies:
    """The question comes back in another case (a server that folds or that does 0x20)."""
    swapped = bytes(octet ^ 0x20 if chr(octet).isalpha() else octet for octet in asked.qname)
    return [(0, right_message(asked, question=swapped + asked.question[-4:]))]


def header_only(asked: wire.Query) -> bytes:
    return struct.pack("!HHHHHH", asked.ident, wire.QR | wire.RA, 0, 0, 0, 0)


def refusal(rcode: int) -> Answer:
    """A bare header: the server turns the client away without a look at the question."""
    return lambda asked: [(0, struct.pack("!HHHHHH", asked.ident, wire.QR | rcode, 0, 0, 0, 0))]


def message(make: Callable[[wire.Query], bytes]) -> Answer:
    """Whatever make returns, at once and alone."""
    return lambda asked: [(0, make(asked))]


def then_right(octets: bytes) -> Answer:
    """Some octets as a message of their own, the right answer behind."""
    return lambda asked: [(0, octets), (0.02, right_message(asked))]


def failure(rcode: int, ede: tuple[int, str] | None = None) -> Answer:
    options = wire.extended_error(*ede) if ede else b""
    return lambda asked: [(0, wire.respond(asked, rcode=rcode, options=options))]


def bursts(rcode: int, every: int, length: int) -> Answer:
    """So many failures at a stretch, then right answers until every so-manieth query."""
    numbers = itertools.count()
    failing = failure(rcode)
    return lambda asked: failing(asked) if next(numbers) % every < length else right(asked)


def cname_loop(asked: wire.Query) -> Replies:
    """The name is an alias of another one, and that of the first."""
    other = wire.name_octets("loop.other.example")
    return [(0, wire.respond(asked, (wire.record(wire.CNAME, other),
                                     wire.record(wire.CNAME, asked.qname, owner=other))))]


def many_records(count: int) -> Answer:
    """A addresses 192.168.0.0 and on, in order."""
    records = tuple(wire.record(wire.A, struct.pack("!I", 0xC0A8_0000 + index))
                    for index in range(count))
    return lambda asked: [(0, wire.respond(asked, records))]


def formerr_to_edns(asked: wire.Query) -> Replies:
    """A server older than EDNS: FORMERR without OPT when it sees one."""
    if asked.edns:
        return [(0, wire.respond(asked, rcode=wire.FORMERR, edns=False))]
    return right(asked)


def formerr_to_edns_for(name: str) -> Answer:
    """The same for one name and those below it."""
    zone = wire.name_octets(name).lower()
    return lambda asked: (formerr_to_edns if asked.qname.lower().endswith(zone) else right)(asked)


def without_edns(asked: wire.Query) -> Replies:
    """A server that ignores OPT."""
    return [(0, right_message(asked, edns=False))]


def keepalive(units: int) -> Answer:
    """Answers carry edns-tcp-keepalive; units of 100 ms (RFC 7828)."""
    options = wire.option(wire.KEEPALIVE, struct.pack("!H", units))
    return lambda asked: [(0, right_message(asked, options=options))]


def of_size(octets: int) -> Answer:
    """A TXT answer of exactly that many octets, OPT included if it was asked with one."""

    def make(asked: wire.Query) -> bytes:
        left = octets - len(wire.respond(asked))
        records = []
        while left > 0:
            # A record is 12 octets and strings of up to 255 octets with a length octet each.
            part = left if left <= 268 else min(268, left - 14)
            text = b"%05d" % len(records) + b"x" * 250
            text = text[: part - 13]  # no two alike: clients join equal records
            records.append(wire.record(wire.TXT, bytes([len(text)]) + text))
            left -= part
        made = wire.respond(asked, tuple(records))
        assert len(made) == octets, (len(made), octets)
        return made

    return message(make)
