"""Answers that tell how often a question was asked upstream, so that a kept one is recognised."""

import collections
import dataclasses
import struct

import dns.message

from . import wire
from .answers import Replies

SERVFAIL_EDE = 22  # No Reachable Authority: not said on purpose


@dataclasses.dataclass
class Numbered:
    """The N-th answer to a question is the address 192.0.2.N. Fields are changed at any time."""

    ttl: int = 300
    rcode: int = wire.NOERROR  # NXDOMAIN comes with soa, if there is one
    soa: tuple[int, int] | None = None  # TTL and MINIMUM
    flags: int = wire.RA
    ede: tuple[int, str] | None = None
    no_data: bool = False
    silent: bool = False

    def __post_init__(self) -> None:
        self.asked: collections.Counter = collections.Counter()

    def __call__(self, asked: wire.Query) -> Replies:
        key = asked.key
        self.asked[key] += 1
        if self.silent:
            return []
        options = wire.extended_error(*self.ede) if self.ede else b""
        records = (wire.record(wire.A, bytes((192, 0, 2, self.asked[key])), ttl=self.ttl),)
        if self.rcode != wire.NOERROR or self.no_data:
            records = ()
        return [(0, wire.respond(asked, records, rcode=self.rcode, flags=self.flags,
                                 options=options, authorities=self._authorities()))]

    def _authorities(self) -> tuple[bytes, ...]:
        if self.soa is None:
            return ()
        ttl, minimum = self.soa
        names = wire.name_octets("ns.example") + wire.name_octets("admin.example")
        numbers = struct.pack("!IIIII", 1, 7_200, 3_600, 1_209_600, minimum)
        return (wire.record(wire.SOA, names + numbers, owner=wire.name_octets("example"), ttl=ttl),)


def number_of(response: dns.message.Message) -> int:
    """Which answer this is: 1 for the first."""
    (rrset,) = response.answer
    return int(rrset[0].address.rsplit(".", 1)[1])
