"""Bounds of the whole process: descriptors, loops, counters (BEHAVIOUR 34, 35, §4.9)."""

import contextlib
import json
import os
import resource
import socket

import dns.rcode
import pytest

from harness import answers, wire
from harness.clients import extended_errors
from harness.sotto import sanitized
from harness.waiting import wait_for


@pytest.mark.skipif(sanitized(), reason="UBSan checks objects through a pipe and needs descriptors")
def test_out_of_descriptors_it_stops_accepting_not_answering(start, fake):
    """BEHAVIOUR 35: new TCP connections wait or go; UDP goes on, and so do connections in use."""
    fake.answer = answers.slow_names("slow", 0.5)
    sotto = start(fake)
    with sotto.stream() as client:
        client.send(wire.query("slow.example"))
        fake.wait_for_query("slow.example")
        used = len(os.listdir(f"/proc/{sotto.pid}/fd"))
        resource.prlimit(sotto.pid, resource.RLIMIT_NOFILE, (used + 4, used + 4))
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                crowd = stack.enter_context(sotto.stream())
                crowd.send(wire.query("crowd.example"))
            for index in range(50):
                sotto.assert_right(f"udp-{index}.example.")
            assert client.receive().endswith(
                wire.oracle_address(wire.name_octets("slow.example")))
    wait_for(lambda: sotto.ask("after.example.", transport="tcp").answer, "TCP again")


def test_a_loop_back_to_ourselves_ends_in_one_servfail(start, fake):
    """BEHAVIOUR 34: an upstream that asks us what we ask it; no storm comes of it."""
    looped = []

    def loop_back(asked):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
            back.sendto(wire.query(asked.qname, asked.qtype, ident=len(looped)),
                        ("127.0.0.1", sotto.port))
        looped.append(asked)
        return []

    sotto = start(fake, query_timeout="700ms")
    fake.answer = loop_back
    response = sotto.ask("loop.example.")
    assert (response.rcode(), extended_errors(response)) == (dns.rcode.SERVFAIL, [23])
    assert len(fake.asked("loop.example")) <= 8
    fake.answer = answers.right
    sotto.assert_right("after.example.")


def counters(sotto) -> dict[str, dict[str, int]]:
    """What sotto counted, from its last words."""
    assert sotto.stop() == 0
    lines = [json.loads(line) for line in sotto.log().splitlines()]
    return {line["event"]: line for line in lines if line["event"].startswith("stopped.")}


def test_the_counters_add_up(start, fake):
    """BEHAVIOUR §4.9, after queries of every kind."""
    sotto = start(fake, log={"format": "json", "level": "info"}, query_timeout="300ms",
                  policy={"allow": ["127.0.0.1"]})
    sotto.load(200, 2_000).assert_none_failed()
    with sotto.datagram() as client:
        with fake.held():
            client.send(*[wire.query("same.example", ident=ident) for ident in range(50)])
            fake.wait_for_query("same.example")
            client.send(wire.query("last.example"))
            fake.wait_for_query("last.example")
        for _ in range(51):
            client.receive()
        for message in (wire.query("localhost"), wire.query("bad.example")[:-1],
                        wire.query("notify.example", flags=4 << 11)):
            client.ask(message)
        client.send(wire.query("dropped.example", flags=wire.QR))
        client.ask(wire.query("localhost"))
    with sotto.datagram(source="127.0.0.9") as stranger:
        stranger.ask(wire.query("refused.example"))
    fake.answer = answers.nothing
    sotto.ask("failed.example.")
    with sotto.stream() as leaver:
        leaver.send(wire.query("abandoned.example"))
        fake.wait_for_query("abandoned.example")
        leaver.reset()
    sotto.ask("failed-later.example.")

    seen = counters(sotto)
    clients, upstreams = seen["stopped.clients"], seen["stopped.upstreams"]
    assert clients["queries"] == sum(clients[kind] for kind in (
        "local", "refused", "malformed", "dropped", "coalesced", "forwarded"))
    assert clients["coalesced"] + clients["forwarded"] == sum(
        clients[kind] for kind in ("answered", "unauthenticated", "unreachable", "unanswered",
                                   "unusable", "shed", "abandoned"))
    assert (clients["local"], clients["refused"], clients["dropped"]) == (2, 1, 1)
    assert (clients["coalesced"], clients["forwarded"]) == (49, 205)
    assert (clients["answered"], clients["unanswered"], clients["abandoned"]) == (251, 2, 1)
    sent = sum(upstreams[kind] for kind in ("sent", "resent", "hedged", "probes"))
    assert sent == len(fake.queries)
    assert sent == sum(
        upstreams[kind] for kind in ("answered", "lost", "abandoned"))
    assert upstreams["answered"] == 202
