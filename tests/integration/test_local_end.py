"""Where connections leave from: source, interface and mark, on a host with two uplinks."""

import pytest

from harness import netns, wire
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(netns.missing()), reason=netns.missing())

UPSTREAM = "10.99.0.1"
FIRST, SECOND = "10.53.0.1", "10.54.0.1"  # sotto's addresses on the two uplinks
LATER = "10.54.0.9"


class Uplinks(netns.Link):
    """A second link besides; the upstream is reached by the first, unless something says
    otherwise."""

    def __init__(self) -> None:
        super().__init__()
        here, there = self.here.run, self.there.run
        here("ip", "link", "add", "name", "up1", "type", "veth", "peer", "name", "up1", "netns",
             self.there.path)
        for run, address in ((here, SECOND), (there, "10.54.0.2")):
            run("ip", "address", "add", f"{address}/24", "dev", "up1")
            run("ip", "link", "set", "up1", "up")
        there("ip", "address", "add", f"{UPSTREAM}/32", "dev", "lo")
        here("ip", "route", "add", "default", "via", self.THERE, "metric", "1")
        here("ip", "route", "add", "default", "via", "10.54.0.2", "metric", "2")
        here("ip", "route", "add", "default", "via", "10.54.0.2", "table", "54")
        here("ip", "rule", "add", "from", SECOND, "table", "54")
        here("ip", "rule", "add", "from", LATER, "table", "54")
        here("ip", "rule", "add", "fwmark", "7", "table", "54")
        for end in (self.here, self.there):
            end.set("ipv4/conf/all/rp_filter", "0")
            end.set("ipv4/conf/up1/rp_filter", "0")
        self.await_path(self.THERE, "10.54.0.2", UPSTREAM)


@pytest.fixture
def uplinks():
    with Uplinks() as made:
        yield made


@pytest.fixture
def far(uplinks, make_fake):
    with uplinks.there.inside():
        return make_fake(address=UPSTREAM)


def clients(fake) -> set[str]:
    """Addresses that connections came from."""
    return {connection.transport.get_extra_info("peername")[0] for connection in fake.live}


@pytest.mark.parametrize("changes, expected", [
    ({}, FIRST),
    ({"source": SECOND}, SECOND),
    ({"source": [FIRST]}, FIRST),
    ({"interface": "up1"}, SECOND),
    ({"interface": "up0"}, FIRST),
    ({"mark": 7}, SECOND),
    ({"mark": 8}, FIRST),
])
def test_connections_leave_from_where_they_are_told_to(start, uplinks, far, changes, expected):
    with uplinks.here.inside():
        sotto = start({"url": far.url(), **changes})
        sotto.assert_right("uplink.example.")
        assert clients(far) == {expected}


def test_without_its_interface_an_upstream_is_skipped(start, uplinks, far):
    with uplinks.here.inside():
        sotto = start({"url": far.url(), "interface": "vpn0"}, query_timeout="500ms")
        response = sotto.ask("nowhere.example.")
        assert response.rcode() == wire.SERVFAIL
        assert far.connections == 0
        assert " warning upstream.failed" not in sotto.log()


def test_a_source_that_comes_later_is_used_at_once(start, uplinks, far):
    """The query that came before it is answered."""
    with uplinks.here.inside():
        sotto = start({"url": far.url(), "source": LATER})
        with sotto.datagram() as client:
            client.send(wire.query("early.example"))
            sotto.ask("localhost.")  # what was sent before has been read
            uplinks.here.run("ip", "address", "add", f"{LATER}/24", "dev", "up1")
            assert client.receive()[3] & 0xF == wire.NOERROR
        assert clients(far) == {LATER}


def test_a_reload_moves_connections(start, uplinks, far):
    with uplinks.here.inside():
        sotto = start({"url": far.url(), "source": FIRST})
        sotto.assert_right("first.example.")
        sotto.configure(start.configuration({"url": far.url(), "source": SECOND}, port=sotto.port))
        sotto.reload()
        sotto.wait_for_log("config.reloaded")
        sotto.assert_right("second.example.")
        wait_for(lambda: clients(far) == {SECOND}, "the old connection closed")
