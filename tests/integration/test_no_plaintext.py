"""The first promise, measured: under every fault the name asked is on no wire but the client's,
and sotto has no socket but to the configured endpoints (BEHAVIOUR §4.6)."""

import contextlib

import dns.rcode
import pytest

from harness import fake_upstream, wire
from harness.capture import LoopbackCapture
from harness.waiting import wait_for

LABEL = b"quite-secret-name"


@pytest.fixture
def capture():
    try:
        opened = LoopbackCapture(LABEL)
    except PermissionError:
        pytest.skip("a packet capture needs root")
    with opened:
        yield opened


def assert_seen_only_by_the_client(capture, sotto) -> None:
    """The label is in packets to and from sotto's own port, and in no other."""
    wait_for(lambda: {sotto.port} <= {port for _, port in capture.holding}, "the query captured")
    wait_for(lambda: {sotto.port} <= {port for port, _ in capture.holding}, "the answer captured")
    assert {pair for pair in capture.holding if sotto.port not in pair} == set()


FAULTS = ["none", "wrong certificate", "reset", "close", "http", "plaintext", "refused", "mute"]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_name_is_seen_on_no_wire_but_the_clients(start, fake, capture, authority, fault):
    if fault == "wrong certificate":
        fake.use(authority.leaf(names=("other.test",), addresses=()))
    elif fault == "refused":
        fake.stop_listening()
    elif fault != "none":
        fake.on_connect = fault
    sotto = start(fake, query_timeout="500ms")
    response = sotto.ask(f"{LABEL.decode()}.example.")
    assert response.rcode() == (dns.rcode.NOERROR if fault == "none" else dns.rcode.SERVFAIL)
    assert_seen_only_by_the_client(capture, sotto)
    assert sotto.peers() <= {("127.0.0.1", fake.port)}
    fake.assert_only_tls()


def test_a_real_server_is_spoken_to_in_tls_alone(start, unbound, capture):
    sotto = start(unbound)
    sotto.ask(f"{LABEL.decode()}.example.")
    assert_seen_only_by_the_client(capture, sotto)
    assert sotto.peers() == {("127.0.0.1", unbound.port)}


def test_only_configured_endpoints_are_connected_to(start, make_fake):
    """With several upstreams and all of them failing, no other socket is ever opened."""
    fakes = [make_fake() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(fake_upstream.BlackHole())
        for each in fakes:
            each.on_connect = "close"
        sotto = start(*fakes, hole, query_timeout="1s")
        allowed = {("127.0.0.1", each.port) for each in [*fakes, hole]}
        with sotto.datagram() as client:
            client.send(wire.query("everywhere.example"))
            client.socket.setblocking(False)
            seen = set()
            while True:
                seen |= sotto.peers()
                with contextlib.suppress(BlockingIOError):
                    client.socket.recv(512)
                    break
        assert seen and seen <= allowed
        for each in fakes:
            each.assert_only_tls()
