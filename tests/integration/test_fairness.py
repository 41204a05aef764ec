"""Clients that ask far more than upstreams answer: others are served, and memory stays."""

import json
import struct

import dns.message
import dns.rcode

from harness import wire
from harness.clients import DatagramClient, extended_errors, extended_text
from harness.sotto import sanitized

WAITING_PER_CLIENT = 4_096
LOUD, QUIET = "127.0.0.2", "127.0.0.3"
# AddressSanitizer keeps up to 256 MiB of what was freed.
GROWTH_KIB = (512 if sanitized() else 8) * 1_024


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


class Flood:
    """One client that asks names of its own over UDP and takes what comes in between."""

    BARRIER = 0xFFFF

    def __init__(self, client: DatagramClient):
        self.client = client
        self.asked = 0
        self.responses: list[bytes] = []

    def ask(self, count: int) -> None:
        """Returns when sotto has seen all of them: it answers localhost behind each hundred."""
        for first in range(self.asked, self.asked + count, 100):
            for index in range(first, min(first + 100, self.asked + count)):
                self.client.send(wire.query(f"flood-{index}.example", ident=index % self.BARRIER,
                                            opt=wire.opt_record()))
            self.client.send(wire.query("localhost", ident=self.BARRIER))
            while (message := self.client.receive())[:2] != b"\xff\xff":
                self.responses.append(message)
        self.asked += count

    def idents(self) -> list[int]:
        return [struct.unpack_from("!H", message)[0] for message in self.responses]


def test_a_flood_into_a_silent_upstream_costs_only_its_sender(start, fake):
    """BEHAVIOUR 36, 37, §3: the oldest queries of the loudest client go, with an EDE; cached, local
    and new names of another are answered; memory stays; all is well when the upstream is back."""
    sotto = start(fake, query_timeout="1m", log={"format": "json", "level": "info"})
    sotto.assert_right("kept.example.")
    fake.silence()
    fake.stop_listening()
    with sotto.datagram(source=LOUD) as loud, sotto.datagram(source=QUIET) as quiet:
        flood = Flood(loud)
        flood.ask(WAITING_PER_CLIENT)
        assert flood.responses == [], "the bound itself is allowed"
        flood.ask(1_904)
        assert flood.idents() == list(range(1_904))
        last = dns.message.from_wire(flood.responses[-1])
        assert (last.rcode(), extended_errors(last)) == (dns.rcode.SERVFAIL, [0])
        assert extended_text(last) == ["too many queries are waiting for upstreams"]

        quiet.send(wire.query("new.example", ident=1))
        for name in ("kept.example", "localhost"):
            response = quiet.ask(wire.query(name, ident=2))
            assert response[:2] == b"\0\x02" and response[3] & 0xF == 0, name

        before = resident_kib(sotto.pid)
        flood.ask(15_000)
        assert resident_kib(sotto.pid) - before < GROWTH_KIB
        assert len(flood.responses) == flood.asked - WAITING_PER_CLIENT

        fake.start_listening()
        answer = quiet.receive()
        assert answer[:2] == b"\0\x01" and answer.endswith(
            wire.oracle_address(wire.name_octets("new.example")))
        assert sotto.stop() == 0
    counted = next(line for line in map(json.loads, sotto.log().splitlines())
                   if line["event"] == "stopped.clients")
    assert counted["shed"] == flood.asked - WAITING_PER_CLIENT
