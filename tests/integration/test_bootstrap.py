"""Upstreams given by host name: their addresses come from upstreams, stay fresh, and are kept."""

import contextlib

import dns.rcode
import pytest

from harness import fake_upstream, wire
from harness.capture import LoopbackCapture
from harness.name_server import Names
from harness.waiting import wait_for

HOST = "dns.test"
A_AND_AAAA = {(wire.name_octets(HOST), rtype, wire.IN) for rtype in (wire.A, wire.AAAA)}


@pytest.fixture
def names():
    return Names(dns_test=["127.0.0.1"])


@pytest.fixture
def server(make_fake, names):
    """A bootstrap server."""
    made = make_fake()
    made.answer = names
    return made


def url(fake) -> str:
    return f"tls://{HOST}:{fake.port}"


@contextlib.contextmanager
def twin_of(fake, leaf, address):
    """An upstream at another address with the same port."""
    twin = fake_upstream.FakeUpstream(leaf, address)
    twin.port = fake.port
    with twin:
        yield twin


def asked_for_addresses(server) -> set:
    """Questions that came; the pool may ask for the root to see whether the server answers."""
    return {query.key for query in list(server.queries)} - {(b"\0", wire.NS, wire.IN)}


def look_again(sotto, clock, seconds: float) -> None:
    """Lets the time pass, and the background see it: timers run by a clock that stood still."""
    clock.advance(seconds)
    sotto.reload()


def test_a_bootstrap_server_is_asked_and_nobody_else(start, fake, server):
    sotto = start(url(fake), bootstrap=[server.url()])
    sotto.assert_right("first.example.")
    assert asked_for_addresses(server) == A_AND_AAAA
    assert len(fake.asked("first.example")) == 1
    assert sotto.peers() <= {("127.0.0.1", fake.port), ("127.0.0.1", server.port)}
    sotto.wait_for_log(f"bootstrap.resolved: .*host={HOST} addresses=127.0.0.1 ttl=60")
    for each in (fake, server):
        each.assert_only_tls()


def test_another_upstream_is_asked_where_there_is_no_bootstrap_server(start, fake, server):
    sotto = start(server, url(fake), group=[{"name": "default", "select": "order"}])
    sotto.wait_for_log("bootstrap.resolved")
    assert A_AND_AAAA <= asked_for_addresses(server)
    server.go_down()
    sotto.assert_right("second.example.")
    assert len(fake.asked("second.example")) == 1


def test_a_lookup_is_on_no_wire_in_the_clear(start, fake, server):
    try:
        capture = LoopbackCapture(wire.name_octets(HOST))
    except PermissionError:
        pytest.skip("a packet capture needs root")
    with capture:
        sotto = start(url(fake), bootstrap=[server.url()])
        sotto.assert_right("first.example.")
        # Queries of clients are captured: so would the other have been.
        sotto.ask(f"{HOST}.")
        wait_for(lambda: any(sotto.port in pair for pair in capture.holding), "a query captured")
        assert {pair for pair in capture.holding if sotto.port not in pair} == set()


def test_addresses_are_asked_for_again_when_their_ttl_is_over(start, fake, server, names, leaf,
                                                              clock):
    sotto = start(url(fake), bootstrap=[server.url()], env=clock.environment)
    sotto.assert_right("old.example.")
    with twin_of(fake, leaf, "127.0.0.2") as twin:
        names.names[HOST] = ["127.0.0.2"]
        look_again(sotto, clock, 50)
        sotto.wait_for_log("config.reloaded")
        assert len(server.asked(HOST)) == 2, "nine tenths of the TTL are not over"
        look_again(sotto, clock, 5)
        sotto.wait_for_log("bootstrap.resolved.*addresses=127.0.0.2 ")
        fake.stop_listening()
        sotto.assert_right("new.example.")
        assert len(twin.asked("new.example")) == 1
        twin.assert_only_tls()


@pytest.mark.parametrize("fault", ["NXDOMAIN", "empty", "SERVFAIL"])
def test_the_last_good_addresses_stay_in_use(start, fake, server, names, clock, fault):
    sotto = start(url(fake), bootstrap=[server.url()], env=clock.environment)
    sotto.assert_right("before.example.")
    if fault == "empty":
        names.names[HOST] = []
    else:
        names.rcode = getattr(wire, fault)
    look_again(sotto, clock, 60)
    sotto.wait_for_log("bootstrap.kept: .*addresses=127.0.0.1 ")
    fake.reset_all()
    sotto.assert_right("after.example.")


def test_started_without_a_network_it_serves_as_soon_as_there_is_one(start, fake, server):
    """The query that came before it is answered, too."""
    server.stop_listening()
    sotto = start(url(fake), bootstrap=[server.url()])
    with sotto.datagram() as client:
        client.send(wire.query("early.example"))
        sotto.ask("localhost.")  # what was sent before has been read
        server.start_listening()
        assert client.receive()[3] & 0xF == dns.rcode.NOERROR


def test_addresses_survive_a_restart_without_a_network(start, fake, server, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    settings = {"bootstrap": [server.url()], "state_directory": str(state)}
    first = start(url(fake), **settings)
    first.assert_right("first.example.")
    kept = state / "addresses"
    wait_for(kept.exists, "the file of addresses")
    assert first.stop() == 0
    assert kept.read_text() == f"sotto addresses 1\n{HOST} 127.0.0.1\nend 1\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    server.go_down()
    second = start(url(fake), **settings)
    second.assert_right("second.example.")
    second.wait_for_log("bootstrap.loaded: .*hosts=1")


def test_a_damaged_file_of_addresses_is_not_used(start, fake, server, tmp_path):
    kept = tmp_path / "addresses"
    kept.write_text(f"sotto addresses 1\n{HOST} 127.0.0.9\n")
    kept.chmod(0o600)
    sotto = start(url(fake), bootstrap=[server.url()], state_directory=str(tmp_path))
    sotto.assert_right("anew.example.")
    sotto.wait_for_log('bootstrap.ignored: .*reason="damaged or cut short"')
    wait_for(lambda: kept.read_text().endswith("end 1\n"), "a new file")


def test_half_of_the_addresses_dead(start, fake, server, names):
    """Both families are tried; nobody listens at ::1."""
    names.names[HOST] = ["::1", "127.0.0.1", "127.0.0.3"]
    sotto = start(url(fake), bootstrap=[server.url()])
    sotto.load(50, 200).assert_none_failed()


def test_a_reload_adds_and_removes_hosts(start, make_fake, fake, server, names):
    sotto = start(fake, bootstrap=[server.url()])
    sotto.assert_right("plain.example.")
    assert asked_for_addresses(server) == set()
    other = make_fake()
    sotto.configure(start.configuration(url(other), port=sotto.port, bootstrap=[server.url()]))
    sotto.reload()
    sotto.wait_for_log("bootstrap.resolved")
    sotto.assert_right("named.example.")
    assert len(other.asked("named.example")) == 1
    lookups = len(server.asked(HOST))
    sotto.configure(start.configuration(fake, port=sotto.port, bootstrap=[server.url()]))
    sotto.reload()
    sotto.wait_for_log("config.reloaded", count=2)
    sotto.assert_right("again.example.")
    assert len(fake.asked("again.example")) == 1
    assert len(server.asked(HOST)) == lookups
