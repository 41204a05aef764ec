"""More of what others wrote asks sotto, in the clear and encrypted: tools, forwarders, a browser,
the resolvers of libraries and languages. With test_real_clients the rows of
doc/interoperability.md."""

import contextlib
import ipaddress
import re

import pytest

from harness import answers, stub_resolvers, wire
from harness.fake_upstream import FakeUpstream
from harness.real_clients import Place, run
from harness.served import PAGE_NAME, TRANSPORTS
from harness.stub_resolvers import COMPILER_PATIENCE, RESOLVERS
from harness.waiting import PATIENCE, wait_for

# --- tools --------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_dig_and_kdig_in_the_clear(served, program, transport):
    before, name = served.counted(), f"{program}-{transport}.example"
    how = {"udp": [], "tcp": ["+tcp"]}[transport]
    assert run(program, "@127.0.0.1", "-p", str(served.ports[transport]), *how, "+short", name,
               "A") == f"{wire.oracle_text(name)}\n"
    served.wait_for_counted(before, transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_dnsperf_gets_all_it_asks_for(served, transport):
    """What was cached before, so that many responses are ready at once."""
    names = [f"dnsperf-{index}.example" for index in range(20)]
    for name in names:
        served.sotto.assert_right(f"{name}.")
    before = served.counted()
    mode = {"tls": "dot", "https": "doh"}.get(transport, transport)
    counted = stub_resolvers.dnsperf(mode, served.ports[transport], names, rounds=100)
    assert counted == {"sent": 2_000, "completed": 2_000, "lost": 0}
    assert served.counted()[transport] - before[transport] == 2_000


# --- forwarders ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", stub_resolvers.FORWARDERS)
def test_forwarders(served, tmp_path, name):
    """Those that encrypt authenticate strictly; the others of them are in test_real_clients."""
    if stub_resolvers.forwarder_missing(name):
        pytest.skip(stub_resolvers.forwarder_missing(name))
    transport, _command = stub_resolvers.FORWARDERS[name]
    place = Place(tmp_path, served.ports[transport], served.ca_file)
    served.assert_asked_by(*stub_resolvers.start_forwarder(name, place), transport)


# --- Firefox ------------------------------------------------------------------------------------


@pytest.mark.skipif(stub_resolvers.firefox_missing() != "",
                    reason=stub_resolvers.firefox_missing())
def test_firefox_loads_a_page(served, web_server, tmp_path):
    before, host = served.counted(), f"{PAGE_NAME}:{web_server.server_address[1]}"
    with stub_resolvers.firefox(
            f"http://{host}/", f"https://127.0.0.1:{served.https_port}/dns-query", served.ca_file,
            tmp_path) as process:
        wait_for(lambda: host in web_server.asked, f"the page loaded: {process.log()}",
                 4 * PATIENCE)
    served.wait_for_counted(before, "https")


# --- resolvers of libraries and languages -------------------------------------------------------


MANY = {f"192.0.2.{index}" for index in range(100)}  # 1.6 kB: more than a datagram takes


def one_or_many(asked: wire.Query) -> answers.Replies:
    if not asked.name.startswith("many-") or asked.qtype != wire.A:
        return answers.right(asked)
    return [(0, wire.respond(asked, tuple(wire.record(wire.A, ipaddress.ip_address(each).packed)
                                          for each in sorted(MANY))))]


@pytest.fixture(scope="module")
def own_host(start_for_module, tmp_path_factory, leaf):
    """A host on which sotto is the resolver."""
    if stub_resolvers.own_host_missing():
        pytest.skip(stub_resolvers.own_host_missing())
    host = stub_resolvers.OwnHost(tmp_path_factory.mktemp("host"))
    with contextlib.ExitStack() as stack:
        stack.callback(host.network.close)
        with host.network.inside():
            host.fake = stack.enter_context(FakeUpstream(leaf))
            host.fake.answer = one_or_many
            start_for_module(host.fake, port=53)
        yield host


@pytest.mark.timeout(COMPILER_PATIENCE)  # Go compiles its library first
@pytest.mark.parametrize("name", RESOLVERS)
def test_resolvers_of_libraries(own_host, tmp_path, name):
    """They find sotto by /etc/resolv.conf, and ask again over TCP where UDP is not enough."""
    if stub_resolvers.resolver_missing(name):
        pytest.skip(stub_resolvers.resolver_missing(name))
    command = RESOLVERS[name][2](tmp_path)

    def addresses(host: str) -> set[str]:
        return set(re.findall(r"[\d.]{7,}", own_host.run(*command, host)))

    assert addresses(f"{name}.example") == {wire.oracle_text(f"{name}.example")}
    if stub_resolvers.asks_over_tcp(name):
        found = addresses(f"many-{name}.example")
        assert found <= MANY and len(found) == stub_resolvers.ADDRESSES_MAX.get(name, len(MANY))
    assert own_host.fake.asked(f"{name}.example")
