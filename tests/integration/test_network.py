"""The network itself fails, in namespaces of the tests' own: packets are dropped, links go down and
come back, routes and addresses change, one family or half of the addresses leads nowhere.
BEHAVIOUR §2, 8, 9, 12. sotto and its clients are here, the upstreams there."""

import pytest

from harness import netns, wire

pytestmark = pytest.mark.skipif(bool(netns.missing()), reason=netns.missing())

PER_SECOND = 500
SECOND_ADDRESS = "10.53.0.3"  # of the upstreams' side


@pytest.fixture
def link():
    """The test runs here."""
    with netns.Link() as made, made.here.inside():
        made.there.run("ip", "address", "add", f"{SECOND_ADDRESS}/24", "dev", "up0")
        yield made


@pytest.fixture
def make_there(link, make_fake):
    """Starts fake upstreams there."""

    def make(address: str = netns.Link.THERE):
        with link.there.inside():
            return make_fake(address=address)

    return make


@pytest.fixture
def there(make_there):
    return make_there()


def ports(upstream) -> str:
    """Of the clients of the connections that exist."""
    return "{ " + ", ".join(str(connection.transport.get_extra_info("peername")[1])
                            for connection in upstream.live) + " }"


def test_a_flow_whose_packets_are_dropped_is_replaced(start, link, there):
    """Silence: no packet of the connections that exist arrives any more, those of new ones do."""
    sotto = start(there)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    for round_ in range(2):
        link.there.filter(f"tcp sport {ports(there)} drop", hook="input")
        sotto.load(200, PER_SECOND, prefix=f"dropped-{round_}").assert_none_failed()
    assert 3 <= there.connections <= 8
    assert max(there.sends().values()) <= 2


def test_an_address_whose_packets_are_dropped_loses_nothing(start, link, make_there):
    """Two upstreams; everything to one of them vanishes, then to the other."""
    first, second = make_there(), make_there(SECOND_ADDRESS)
    sotto = start(first, second)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    for lost in (first, second):
        link.there.filter(f"ip daddr {lost.address} drop", hook="input")
        sotto.load(400, PER_SECOND, prefix=f"gone-{lost.port}").assert_none_failed()
        link.there.filter(hook="input")
        sotto.load(50, PER_SECOND, prefix=f"back-{lost.port}").assert_none_failed()


def test_lost_packets_lose_no_query(start, link, there):
    """Three in a hundred, each way."""
    for end in (link.here, link.there):
        end.filter('iifname "up0" numgen random mod 100 < 3 drop', hook="input")
    sotto = start(there)
    sotto.load(500, PER_SECOND, prefix="lossy").assert_none_failed()
    assert max(there.sends().values()) <= 4


def test_a_link_that_goes_down_and_up_needs_no_restart(start, link, there):
    """Queries that wait when it returns are answered, and so is the next one."""
    sotto = start(there, query_timeout="20s")
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    for cut in range(2):
        link.down()
        with sotto.datagram() as client:
            client.send(*[wire.query(f"cut-{cut}-{index}.example", ident=index)
                          for index in range(50)])
            sotto.wait_for_log("(?i)no route|unreachable|suspect|silent", count=cut + 1)
            link.up()
            assert {client.receive()[3] & 0xF for _ in range(50)} == {0}
        sotto.load(50, PER_SECOND, prefix=f"up-{cut}").assert_none_failed()
    assert max(there.sends().values()) <= 4


def test_after_ten_minutes_without_a_network_the_first_query_succeeds(start, link, there, clock):
    """One connection is made for it, and it is asked once."""
    sotto = start(there, env=clock.environment)
    sotto.assert_right("before.example.")
    link.down()
    clock.advance(600)
    link.up()
    before = there.connections
    sotto.assert_right("after.example.")
    assert there.connections - before <= 1
    assert len(there.asked("after.example")) == 1


def test_after_a_suspension_the_first_query_does_not_try_the_old_connection(start, link, there,
                                                                           clock):
    """An hour passes; no packet of the flows from before gets through any more."""
    sotto = start(there, env=clock.environment)
    sotto.assert_right("before.example.")
    link.there.filter(f"tcp sport {ports(there)} drop", hook="input")
    clock.advance(3_600)
    sotto.assert_right("after.example.")
    assert there.connections == 2
    assert len(there.asked("after.example")) == 1
    assert "suspect" not in sotto.log()


def test_a_change_of_address_is_survived(start, link, there):
    """The address that connections came from is gone; another one takes its place."""
    sotto = start(there)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    link.here.run("ip", "address", "add", "10.53.0.9/24", "dev", "up0")
    link.here.run("ip", "address", "del", f"{link.HERE}/24", "dev", "up0")
    link.here.run("ip", "address", "replace", "10.53.0.9/24", "dev", "up0")
    sotto.load(100, PER_SECOND, prefix="moved").assert_none_failed()
    assert set(there.peers) == {link.HERE, "10.53.0.9"}
    assert there.connections <= 4


def test_a_change_of_route_is_survived(start, link, there):
    """The way there leads elsewhere from now on, and what leaves the old way is dropped."""
    link.here.run("ip", "address", "add", "10.53.0.9/24", "dev", "up0")
    sotto = start(there)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    link.here.run("ip", "route", "add", f"{link.THERE}/32", "dev", "up0", "src", "10.53.0.9")
    link.there.filter(f"ip saddr {link.HERE} drop", hook="input")
    sotto.load(100, PER_SECOND, prefix="moved").assert_none_failed()
    assert set(there.peers) == {link.HERE, "10.53.0.9"}
    assert there.connections <= 4


def test_an_ipv6_hole_delays_nobody_to_death(start, link, make_there):
    """Packets to the IPv6 address vanish; the IPv4 address of the same upstream works."""
    six, four = make_there(link.THERE6), make_there()
    link.there.filter("meta nfproto ipv6 drop", hook="input")
    sotto = start({"url": [six.url(), four.url()]})
    sotto.load(200, PER_SECOND).assert_none_failed()
    assert (six.connections, len(four.queries)) == (0, 200)


def test_half_of_the_addresses_dead_loses_nothing(start, link, make_there):
    """Four addresses of one upstream; two of them swallow everything, from the start and later."""
    addresses = [link.THERE, SECOND_ADDRESS, "10.53.0.4", "10.53.0.5"]
    for address in addresses[2:]:
        link.there.run("ip", "address", "add", f"{address}/24", "dev", "up0")
    upstreams = [make_there(address) for address in addresses]
    sotto = start({"url": [upstream.url() for upstream in upstreams]})
    for dead in (addresses[:2], addresses[2:]):
        link.there.filter(f"ip daddr {{ {', '.join(dead)} }} drop", hook="input")
        sotto.load(300, PER_SECOND, prefix=f"dead-{dead[0]}").assert_none_failed()


def test_answers_that_are_lost_on_their_way_are_asked_for_again(start, link, there):
    """Only the way back is cut, for the flows that exist."""
    sotto = start(there)
    sotto.load(50, PER_SECOND, prefix="warm").assert_none_failed()
    with sotto.datagram() as client:
        with there.held():
            client.send(*[wire.query(f"back-{index}.example", ident=index) for index in range(50)])
            there.wait_for_query("back-49.example")
            link.here.filter(f"tcp dport {ports(there)} drop", hook="input")
        assert {client.receive()[3] & 0xF for _ in range(50)} == {0}
    assert there.connections >= 2
    assert max(there.sends().values()) <= 3
