"""The admin listener: metrics that add up, health that tells the truth, and no way from there to
hurt anybody's queries."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import time

import dns.rcode
import pytest

from harness import answers, netns, wire
from harness.admin import Admin, Metrics
from harness.sotto import binary, new_port
from harness.waiting import PATIENCE, wait_for

CONNECTIONS_MAX = 64
DEFAULT_ADMIN = ("127.0.0.1", 9_053)


@pytest.fixture
def begin(start):
    """begin(upstream, …) starts a sotto with an admin listener and returns both."""
    def begun(*upstreams, **changes):
        port = new_port()
        listen = {**changes.pop("listen", {}), "admin": f"127.0.0.1:{port}"}
        return start(*upstreams, listen=listen, **changes), Admin(port)
    return begun


def assert_adds_up(metrics: Metrics) -> None:
    """What doc/manual/watching.md promises of the counters."""
    queries = metrics.sum("sotto_queries_total")
    assert queries == metrics.sum("sotto_query_results_total")
    misses = metrics("sotto_query_results_total", result="miss")
    assert misses == metrics.sum("sotto_misses_total")
    waiting = metrics("sotto_queries_waiting")
    assert misses == metrics.sum("sotto_wait_results_total") + waiting
    unanswered = (metrics("sotto_query_results_total", result="dropped")
                  + metrics("sotto_wait_results_total", result="abandoned") + waiting)
    assert queries == metrics.sum("sotto_responses_total") + unanswered
    sent = metrics.sum("sotto_upstream_queries_total")
    ended = metrics.sum("sotto_upstream_query_results_total")
    assert sent == ended + metrics.sum("sotto_upstream_in_flight")


# --- metrics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_metrics_count_what_was_asked_and_answered(begin, fake, workers):
    fake.answer = lambda asked: (
        [(0, wire.respond(asked, rcode=3))] if asked.qname.startswith(b"\x04none")
        else answers.right(asked))
    sotto, admin = begin(fake, workers=workers)
    before = admin.metrics()
    assert_adds_up(before)
    for _ in range(3):
        sotto.assert_right("a.example.")
    sotto.assert_right("b.example.", transport="tcp")
    sotto.assert_right("b.example.", transport="tcp")
    assert sotto.ask("none.example.").rcode() == dns.rcode.NXDOMAIN
    assert sotto.ask("localhost.").rcode() == dns.rcode.NOERROR
    with sotto.datagram() as client:
        client.ask(wire.query("v.example", opt=wire.opt_record(version=1)))
        client.send(b"short")  # met with silence
    metrics = wait_for(lambda: _counted(admin, before, 9), "all nine queries counted")
    assert_adds_up(metrics)

    def grown(name: str, **labels: str) -> float:
        return metrics(name, **labels) - before(name, **labels)

    assert grown("sotto_queries_total", transport="udp") == 7
    assert grown("sotto_queries_total", transport="tcp") == 2
    assert grown("sotto_responses_total", transport="udp", rcode="NOERROR") == 4
    assert grown("sotto_responses_total", transport="udp", rcode="NXDOMAIN") == 1
    assert grown("sotto_responses_total", transport="udp", rcode="BADVERS") == 1
    assert grown("sotto_responses_total", transport="tcp", rcode="NOERROR") == 2
    assert grown("sotto_query_results_total", result="miss") == 3
    assert grown("sotto_query_results_total", result="hit") == 3
    assert grown("sotto_query_results_total", result="local") == 1
    assert grown("sotto_query_results_total", result="malformed") == 1
    assert grown("sotto_query_results_total", result="dropped") == 1
    assert grown("sotto_wait_results_total", result="answered") == 3
    assert grown("sotto_cache_stored_total") == 2  # NXDOMAIN without SOA is not kept
    assert grown("sotto_tcp_connections_accepted_total") == 2
    assert metrics("sotto_tcp_connections") + metrics.sum(
        "sotto_tcp_connections_closed_total") == metrics("sotto_tcp_connections_accepted_total")


def _counted(admin: Admin, before: Metrics, queries: int) -> Metrics | None:
    metrics = admin.metrics()
    grown = metrics.sum("sotto_queries_total") - before.sum("sotto_queries_total")
    return metrics if grown == queries else None


def test_metrics_of_upstreams(begin, fake):
    sotto, admin = begin(fake)
    for index in range(5):
        sotto.assert_right(f"up-{index}.example.")
    metrics = admin.metrics()
    labels = {"group": "default", "upstream": fake.url()}
    assert metrics("sotto_upstream_usable", **labels) == 1
    assert metrics("sotto_upstream_queries_total", kind="first", **labels) == 5
    assert metrics("sotto_upstream_query_results_total", result="answered", **labels) >= 5
    assert metrics("sotto_upstream_handshakes_total", **labels) == fake.handshakes
    assert metrics("sotto_upstream_connections", state="ready", **labels) == 1
    address = fake.url().removeprefix("tls://").partition("#")[0]
    states = {state: metrics("sotto_upstream_state", address=address, state=state, **labels)
              for state in ("untried", "works", "failing", "avoided")}
    assert states == {"untried": 0, "works": 1, "failing": 0, "avoided": 0}
    expiry = metrics("sotto_upstream_certificate_expiry_timestamp_seconds", address=address,
                     **labels)
    assert expiry > time.time()
    for phase, least in (("connect", 1), ("handshake", 1), ("wait", 5)):
        count = metrics("sotto_upstream_latency_seconds_count", phase=phase, **labels)
        assert count >= least, phase
        assert count == metrics("sotto_upstream_latency_seconds_bucket", phase=phase, le="+Inf",
                                **labels)
    assert metrics.sum("sotto_upstream_failures_total") == 0


def test_failures_that_upstreams_send_are_counted(begin, fake):
    rcodes = {b"\x04serv": 2, b"\x04refu": 5}
    fake.answer = lambda asked: (
        [(0, wire.respond(asked, rcode=rcodes[asked.qname[:5]]))] if asked.qname[:5] in rcodes
        else answers.right(asked))
    sotto, admin = begin(fake)
    for name in ("serv.example.", "refu.example.", "good.example."):
        sotto.ask(name)
    metrics = admin.metrics()
    labels = {"group": "default", "upstream": fake.url()}
    assert metrics("sotto_upstream_answer_faults_total", fault="failure", **labels) == 2
    assert metrics("sotto_upstream_answer_faults_total", fault="discarded", **labels) == 0


def test_hedges_beyond_the_budget_are_counted(begin, make_fake):
    """Without a past a worker may hedge eight queries; more are late here."""
    fakes = [make_fake(), make_fake()]
    for one in fakes:
        one.answer = answers.slow_names("late", 1)
    sotto, admin = begin(*fakes, hedge={"budget": 1},
                         group=[{"name": "default", "select": "fastest"}])
    quick = itertools.count()

    def metrics_now() -> Metrics:
        sotto.assert_right(f"quick-{next(quick)}.example.")  # nobody is silent, only late
        return admin.metrics()

    wait_for(lambda: metrics_now().sum("sotto_upstream_connections", state="ready") >= 2, "both")
    with sotto.datagram() as client:
        client.send(*(wire.query(f"late-{index}.example") for index in range(20)))
        metrics = wait_for(lambda: (now := metrics_now())("sotto_hedges_denied_total") and now,
                           "hedges denied")
    assert metrics.sum("sotto_upstream_queries_total", kind="hedged") >= 8


def test_metrics_of_the_process(begin, fake):
    sotto, admin = begin(fake, workers=2)
    metrics = admin.metrics()
    status = dict(line.split(":", 1) for line in
                  open(f"/proc/{sotto.pid}/status", encoding="ascii"))
    resident = int(status["VmRSS"].split()[0]) * 1024
    assert 0.5 * resident < metrics("process_resident_memory_bytes") < 2 * resident
    assert metrics("process_threads") == int(status["Threads"])
    # The connection of the one who asked was open then.
    assert 0 <= metrics("process_open_fds") - len(os.listdir(f"/proc/{sotto.pid}/fd")) <= 2
    assert metrics("process_max_fds") >= metrics("process_open_fds")
    assert metrics("process_cpu_seconds_total") > 0
    assert 0 <= time.time() - metrics("process_start_time_seconds") < PATIENCE
    version = subprocess.run([str(binary()), "--version"], capture_output=True, text=True,
                             check=True).stdout.split()[1]
    assert metrics("sotto_build_info", version=version) == 1
    assert [metrics("sotto_worker_up", worker=worker) for worker in ("0", "1")] == [1, 1]


def test_promtool_finds_no_fault(begin, fake):
    if shutil.which("promtool") is None:
        pytest.skip("promtool (package prometheus) is not installed")
    sotto, admin = begin(fake)
    sotto.assert_right("a.example.")
    checked = subprocess.run(["promtool", "check", "metrics"], input=admin.metrics_text(),
                             capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_names_asked_for_are_nowhere_in_the_metrics(begin, fake):
    """Neither names nor clients become labels."""
    sotto, admin = begin(fake)
    sotto.assert_right("secret.example.")
    assert "secret" not in admin.metrics_text()


# --- health ------------------------------------------------------------------------------------


def test_a_sotto_that_works_is_live_and_ready(begin, fake):
    _sotto, admin = begin(fake, workers=2)
    wait_for(lambda: admin.readiness() == (200, "ok\n"), "ready")
    assert admin.ask("/livez")[::2] == (200, "ok\n")


def test_not_ready_in_an_outage_without_stale_answers(begin, fake):
    sotto, admin = begin(fake, cache={"stale": {"max_age": "0s"}}, query_timeout="500ms")
    sotto.assert_right("before.example.")
    fake.go_down()
    sotto.ask("during.example.")
    wait_for(lambda: admin.readiness() == (503, "no upstream is usable\n"), "not ready")
    assert admin.status("/livez") == 200
    fake.start_listening()
    sotto.assert_right("after.example.")
    assert admin.readiness() == (200, "ok\n")


def test_ready_in_an_outage_while_there_are_stale_answers(begin, fake):
    sotto, admin = begin(fake, query_timeout="500ms")
    fake.go_down()
    sotto.ask("during.example.")
    wait_for(lambda: admin.status("/readyz") == 503, "an empty cache has nothing to give")
    fake.start_listening()
    sotto.assert_right("kept.example.")
    fake.go_down()
    sotto.ask("again.example.")
    wait_for(lambda: admin.readiness() == (
        200, "ok\nno upstream is usable; stale answers are given\n"), "ready with stale answers")


def test_not_ready_while_draining(begin, fake):
    """The listener stays until the last query is answered."""
    sotto, admin = begin(fake)
    with sotto.datagram() as client:
        with fake.held():
            client.send(wire.query("held.example"))
            fake.wait_for_query("held.example")
            sotto.signal(signal.SIGTERM)
            wait_for(lambda: admin.readiness() == (503, "stopping\n"), "draining")
            assert admin.status("/livez") == 200
            metrics = admin.metrics()
            assert metrics("sotto_queries_waiting") == 1
            assert_adds_up(metrics)
        assert client.receive()
    assert sotto.wait() == 0
    with pytest.raises(OSError):
        admin.status("/readyz")


# --- the listener ------------------------------------------------------------------------------


def test_other_paths_and_methods_are_told_what_there_is(begin, fake):
    _sotto, admin = begin(fake)
    status, headers, text = admin.ask("/")
    assert (status, text) == (404, "not found; there are:\n/livez\n/metrics\n/readyz\n")
    status, headers, text = admin.ask("/metrics", "POST")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    status, headers, text = admin.ask("/readyz", "HEAD")
    assert (status, headers["Content-Length"], text) == (200, "3", "")


def test_slow_clients_are_not_felt_by_queries(begin, fake):
    """More of them than are served at a time, each with half a request; and one that does not read
    what it asked for."""
    sotto, admin = begin(fake)
    slow = []
    try:
        for _ in range(CONNECTIONS_MAX + 36):
            peer = socket.create_connection((admin.address, admin.port), timeout=PATIENCE)
            peer.sendall(b"GET /metrics HT")
            slow.append(peer)
        sotto.load(500, 1_000).assert_none_failed()
    finally:
        for peer in slow:
            peer.close()
    assert admin.status("/readyz") == 200


def test_a_configured_address_that_is_taken_is_an_error(start, fake):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        planned_port = new_port()
        sotto = start.with_text("", port=planned_port, start=False)
        sotto.configure(start.configuration(fake, port=planned_port,
                                            listen={"admin": f"127.0.0.1:{port}"}))
        running = start.raw(["serve", "--config", str(sotto.config_file)], port=planned_port,
                            number=sotto.number, ready=False)
        assert running.wait() == 1
    assert f"listen.admin: listen on 127.0.0.1:{port}: Address already in use" in running.log()


def threads(sotto) -> int:
    return len(os.listdir(f"/proc/{sotto.pid}/task"))


def test_switched_off_it_is_not_there(start, begin, fake):
    sotto = start(fake, listen={"admin": ""})
    wait_for(lambda: "started" in sotto.log(), "the log of the start")
    assert "admin.off" in sotto.log() and "admin.open" not in sotto.log()
    other, _admin = begin(fake)
    # Answers come before the last thread has begun.
    wait_for(lambda: threads(sotto) + 1 == threads(other), "one thread more")


@pytest.mark.skipif(bool(netns.missing()), reason=netns.missing() or "none")
def test_the_default_address_is_skipped_where_it_is_taken(start):
    """In a network of its own, where nobody else has it."""
    arguments = ["--upstream", "tls://127.0.0.1:1#x.example", "--listen"]
    space = netns.Namespace()
    try:
        with space.inside():
            with socket.create_server(DEFAULT_ADMIN):
                port = new_port()
                without = start.raw([*arguments, f"127.0.0.1:{port}"], port=port)
                wait_for(lambda: "admin.off" in without.log(), "a line in the log")
                assert "listen on 127.0.0.1:9053: Address already in use" in without.log()
            port = new_port()
            start.raw([*arguments, f"127.0.0.1:{port}"], port=port)
            assert Admin(DEFAULT_ADMIN[1]).status("/livez") == 200
    finally:
        space.close()


@pytest.mark.skipif(bool(netns.missing()), reason=netns.missing() or "none")
def test_clients_go_before_the_default_address(start):
    """Who configures 127.0.0.1:9053 for DNS gets it."""
    space = netns.Namespace()
    try:
        with space.inside():
            sotto = start.raw(["--upstream", "tls://127.0.0.1:1#x.example", "--listen",
                               "127.0.0.1:9053"], port=DEFAULT_ADMIN[1])
            wait_for(lambda: "admin.off" in sotto.log(), "a line in the log")
            assert "listen.failed" not in sotto.log()
    finally:
        space.close()
