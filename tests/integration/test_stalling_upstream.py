"""The upstream of the benchmarks, told to stall as nsd and knotd do: of each record of TLS it
answers one query, and it sends with Nagle's algorithm. tests/bench/dot_upstream.cc"""

import pathlib
import re
import signal

import dns.message
import dns.rcode
import pytest
from harness import kernel, ports
from harness.clients import DatagramClient
from harness.processes import Process
from harness.real_servers import RealServer

BURST = 20
BURSTS_MAX = 20
PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build/asan/tests/bench/dot_upstream"


class StallingUpstream(RealServer):
    def __init__(self, directory: pathlib.Path, authority, leaf):
        port = ports.free_port()
        process = Process("dot_upstream", [str(PROGRAM), str(port), str(leaf.chain), str(leaf.key),
                                           "stalls"], directory / "dot_upstream.log")
        super().__init__("dot_upstream", process, port, authority.ca_file)
        self._counted = 0

    def queries(self) -> int:
        self._counted += 1
        self.process.signal(signal.SIGUSR1)
        line = self.process.wait_for_log(r"^queries \d+ hot \d+$", count=self._counted)
        return int(re.search(r"\d+", line).group())


@pytest.fixture
def stalling(tmp_path, authority, leaf):
    if not PROGRAM.exists():
        pytest.skip("cmake --preset asan && cmake --build --preset asan --target dot_upstream")
    upstream = StallingUpstream(tmp_path, authority, leaf)
    try:
        upstream.await_readiness()
        yield upstream
    finally:
        upstream.process.stop()


def ask_burst(sotto, mark: str) -> None:
    queries = [dns.message.make_query(f"{mark}-{number}.example.", "A") for number in range(BURST)]
    with DatagramClient("127.0.0.1", sotto.port) as client:
        client.send(*(query.to_wire() for query in queries))
        responses = [dns.message.from_wire(client.receive()) for _ in queries]
    assert {response.rcode() for response in responses} == {dns.rcode.NOERROR}
    assert {response.id for response in responses} == {query.id for query in queries}


def test_a_burst_is_answered_and_nothing_is_asked_twice(start, stalling):
    sotto = start(stalling, query_timeout="20s", hedge={"budget": 0})
    sotto.ask("first.example.")
    before = stalling.queries()
    ask_burst(sotto, "burst")
    assert stalling.queries() - before == BURST


def test_what_waits_for_an_acknowledgement_gets_it_at_once(start, stalling, tmp_path):
    """At the start of a connection the kernel acknowledges by itself, for some segments."""
    sotto = start(stalling, env=kernel.environment(tmp_path, "SOTTO_TEST_TELLS_QUICKACK"))
    for number in range(BURSTS_MAX):
        ask_burst(sotto, f"burst-{number}")
        if "quickack\n" in sotto.log():
            return
    raise AssertionError(f"no TCP_QUICKACK in {BURSTS_MAX} bursts")
