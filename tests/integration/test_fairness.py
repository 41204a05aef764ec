"""Clients that ask far more than upstreams answer: others are served, and memory stays."""

import contextlib
import itertools
import json
import os
import socket
import struct
import threading

import dns.message
import dns.rcode
import pytest

from harness import wire
from harness.clients import DatagramClient, StreamClient, extended_errors, extended_text
from harness.sotto import sanitized
from harness.waiting import PATIENCE, wait_for

WAITING_PER_CLIENT = 4_096
LOUD, QUIET = "127.0.0.2", "127.0.0.3"
# AddressSanitizer keeps up to 256 MiB of what was freed.
GROWTH_KIB = (512 if sanitized() else 8) * 1_024


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def counted(sotto) -> dict[str, int]:
    """What sotto counted of its clients, from its last words."""
    assert sotto.stop() == 0
    lines = map(json.loads, sotto.log().splitlines())
    return next(line for line in lines if line["event"] == "stopped.clients")


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
    assert counted(sotto)["shed"] == flood.asked - WAITING_PER_CLIENT


def test_a_hundred_thousand_names_on_one_connection_into_a_silent_upstream(start, fake):
    """BEHAVIOUR §3: sotto stops reading when the client's bound is reached, so none of its queries
    has to go and memory stays; other clients are served. All is answered in the end."""
    sotto = start(fake, query_timeout="1m")
    sotto.assert_right("kept.example.")
    fake.silence()
    fake.stop_listening()
    with sotto.stream(source=LOUD) as loud, sotto.datagram(source=QUIET) as quiet:
        loud.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1_024)
        before = resident_kib(sotto.pid)
        sent, rest = send_until_full(loud, (
            wire.framed(wire.query(f"pipelined-{index}.example", ident=index & 0xFFFF))
            for index in range(100_000)))
        assert WAITING_PER_CLIENT < sent < 100_000, "sotto reads no more than may wait"
        quiet.send(wire.query("kept.example", ident=2))
        assert quiet.receive()[:2] == b"\0\2"
        assert resident_kib(sotto.pid) - before < GROWTH_KIB
        fake.start_listening()
        sender = threading.Thread(target=loud.send_octets, args=(rest,))
        sender.start()
        received = loud.receive_many(sent)
        sender.join()
    asked = sorted(index & 0xFFFF for index in range(sent))
    assert sorted(struct.unpack_from("!H", message)[0] for message in received) == asked
    assert {message[3] & 0xF for message in received} == {0}


def send_until_full(client: StreamClient, messages) -> tuple[int, bytes]:
    """Sends until the other side has read nothing for half a second. How many messages it was
    given, the last maybe in part, and the octets of that one that are left."""
    client.socket.settimeout(0.5)
    try:
        for count in itertools.count(1):
            message = next(messages)
            while message:
                message = message[client.socket.send(message):]
    except TimeoutError:
        return count, message
    finally:
        client.socket.settimeout(PATIENCE)


@pytest.mark.parametrize("name", ["localhost", "kept.example"])
def test_a_flood_of_what_is_known_on_one_connection(start, fake, name):
    """BEHAVIOUR §3: each is answered, memory stays, and others are served meanwhile."""
    total = 100_000 if sanitized() else 1_000_000
    sotto = start(fake, log={"format": "json", "level": "info"})
    sotto.assert_right("kept.example.")
    query = wire.framed(wire.query(name))
    with sotto.stream(source=LOUD) as loud, sotto.datagram(source=QUIET) as quiet:
        loud.send_octets(query)
        answer = wire.framed(loud.receive())
        before = resident_kib(sotto.pid)
        sender = threading.Thread(target=lambda: [
            loud.send_octets(query * 1_000) for _ in range(total // 1_000)])
        sender.start()
        expected, octets, served = total * len(answer), 0, 0
        while octets < expected:
            got = len(loud.socket.recv(1 << 20))
            assert got > 0, f"closed after {octets // len(answer)} answers"
            if octets * 20 // expected != (octets + got) * 20 // expected:
                assert quiet.ask(wire.query("kept.example"))[3] & 0xF == wire.NOERROR
                served += 1
            octets += got
        sender.join()
        assert (octets, served) == (expected, 20)
        assert resident_kib(sotto.pid) - before < GROWTH_KIB
    assert counted(sotto)["queries"] > total


def test_a_thousand_slow_connections_do_not_slow_others(start, fake):
    """BEHAVIOUR 15, §3: one octet each and no more. They end, and leave nothing behind."""
    sotto = start(fake, tcp={"idle_timeout": "2s"})
    sotto.assert_right("kept.example.")
    before = len(os.listdir(f"/proc/{sotto.pid}/fd"))
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(sotto.stream(source=LOUD)) for _ in range(1_000)]
        for client in slow:
            client.send_octets(b"\0")
        for index in range(20):
            sotto.assert_right("kept.example.")
            sotto.assert_right(f"new-{index}.example.", transport="tcp")
        wait_for(lambda: len(os.listdir(f"/proc/{sotto.pid}/fd")) <= before, "them to be closed")
        assert [client.receive() for client in slow] == [None] * len(slow)
    sotto.assert_healthy()
