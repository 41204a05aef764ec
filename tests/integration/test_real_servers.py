"""DoT servers that others wrote, as the upstream: what sotto does in front of its own fake holds in
front of each. The rows of doc/interoperability.md. RFC 7766 §6.2.1, §7, RFC 7858."""

import threading
import time

import dns.flags
import dns.rcode
import pytest

from harness import upstream_servers, wire
from harness.admin import Admin
from harness.real_servers import LARGE_STRINGS
from harness.sotto import new_port
from harness.upstream_servers import NAMES, SERVERS
from harness.waiting import PATIENCE, wait_for

# The connection is idle by then: acknowledgements are delayed again, for 40 to 200 ms.
PAUSE_SECONDS = 0.3
AT_ONCE = 1_000_000  # a second: all leave before the first answer is waited for
BURSTS = [prefix for prefix in NAMES if prefix.startswith("burst")]
PER_SECOND = 500  # a socket keeps what comes while its reader is not run for half a second
STALLS_MAX = 5  # after each sotto takes the connection for dead, and opens another one
LARGE_OCTETS = 4_096


@pytest.fixture(scope="module", params=SERVERS)
def real(request, tmp_path_factory, authority, leaf):
    kind = SERVERS[request.param]
    if kind.missing():
        pytest.skip(kind.missing())
    server = upstream_servers.start(kind, tmp_path_factory.mktemp(kind.name), authority, leaf)
    try:
        server.await_readiness()
        yield server
    finally:
        server.stop()


class Front:
    """A sotto in front of the server alone, which it asks no late query twice on purpose. It is as
    patient as the tests, as a server can take seconds to start where many tests run."""

    def __init__(self, start, server):
        admin_port = new_port()
        self.sotto = start(server, listen={"admin": f"127.0.0.1:{admin_port}"},
                           hedge={"budget": 0}, query_timeout=f"{PATIENCE:.0f}s")
        self._admin = Admin(admin_port)

    def connections(self) -> float:
        return self._admin.metrics().sum("sotto_upstream_connections_total")


@pytest.fixture
def front(start, real):
    return Front(start, real)


def load(front: Front, prefix: str, per_second: int, count: int | None = None) -> None:
    front.sotto.load(count or NAMES[prefix], per_second, prefix=prefix).assert_none_failed()


def test_a_query(front):
    response = front.sotto.ask("www.example.")
    assert [rdata.address for rdata in response.answer[0]] == ["192.0.2.80"]


def test_a_name_that_does_not_exist(front):
    response = front.sotto.ask("none.example.")
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert [rrset.rdtype for rrset in response.authority] == [wire.SOA]


def test_a_burst_after_a_pause(real, front):
    """Each query is answered, and none was asked twice for it. A stall of this machine can make
    sotto ask again, and rightly, but not after every pause."""
    load(front, "warm", AT_ONCE)
    asked = []
    for burst in BURSTS:
        time.sleep(PAUSE_SECONDS)
        before = real.queries()
        load(front, burst, AT_ONCE)
        asked.append(real.queries() - before)
    assert min(asked) == NAMES[BURSTS[0]], asked


def test_many_queries_on_one_connection(real, front):
    """On as many as the server allows, and some more where this machine stalls."""
    load(front, "warm", AT_ONCE)
    connections = front.connections()
    load(front, "many", PER_SECOND)
    opened = NAMES["many"] // real.kind.queries_per_connection
    assert front.connections() - connections <= opened + STALLS_MAX


def test_large_answers(front):
    """Over UDP it is told that it is to be asked over TCP."""
    name = "large.example."
    assert front.sotto.ask(name, "TXT").flags & dns.flags.TC
    response = front.sotto.ask(name, "TXT", transport="tcp")
    assert len(response.to_wire()) > LARGE_OCTETS
    assert len(response.answer[0]) == LARGE_STRINGS


def test_a_restart_loses_no_query(real, front):
    """The server is stopped and started while queries come."""
    load(front, "warm", AT_ONCE)
    before = real.queries()
    flow = threading.Thread(target=_flow, args=(front, failures := []))
    flow.start()
    try:
        wait_for(lambda: real.queries() > before, "queries that flow")
        real.restart()
    finally:
        flow.join()
    assert failures == []
    assert real.queries() > 0, "nothing was asked after the start"


def _flow(front: Front, failures: list[BaseException]) -> None:
    try:
        load(front, "restart", PER_SECOND)
    except AssertionError as error:
        failures.append(error)
