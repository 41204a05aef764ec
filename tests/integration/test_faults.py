"""Faults of the path, made by a proxy in front of the upstream, and those of an upstream that no
other file tells of. BEHAVIOUR §2, 6–9, 13. script/bench faults measures the same at full length."""

import contextlib

import dns.rcode
import pytest

from harness import answers, fault_proxy, wire
from harness.waiting import wait_for

PER_SECOND = 500
# Seconds each way: there is always something under way, and a busy machine's pauses are short
# beside it, so that few queries are hedged.
DELAY = 0.01


@pytest.fixture
def make_path():
    """make_path(upstream, **attributes) puts a fault proxy in front of an upstream."""
    with contextlib.ExitStack() as stack:

        def make(upstream, **attributes) -> fault_proxy.FaultProxy:
            proxy = stack.enter_context(fault_proxy.FaultProxy(upstream.port))
            proxy.delay = DELAY
            for name, value in attributes.items():
                setattr(proxy, name, value)
            return proxy

        yield make


@pytest.fixture
def path(make_path, fake):
    return make_path(fake)


@pytest.fixture
def two_paths(make_path, fake):
    """To the same upstream, so that each counts for itself."""
    return make_path(fake), make_path(fake)


def assert_sends(fake, most: int) -> None:
    assert max(fake.sends().values()) <= most


# --- the harness itself --------------------------------------------------------------------------


def test_the_proxy_passes_everything_and_says_how_it_ended(path, fake, unbound, make_path):
    """Answers of a real server whole, in order, and the end of either side."""
    real = make_path(unbound)
    message = wire.query("www.example", ident=7)
    with unbound.stream() as direct:
        direct.send(message)
        expected = direct.receive()
    unbound_port, unbound.port = unbound.port, real.port
    try:
        with unbound.stream() as client:
            client.send(message, message)
            assert client.receive_many(2) == [expected] * 2
    finally:
        unbound.port = unbound_port
    wait_for(lambda: not real.live, "both ends closed")
    assert (real.connections, path.connections, fake.connections) == (1, 0, 0)


# --- the path ------------------------------------------------------------------------------------


def test_a_path_that_goes_silent_loses_nothing(start, fake, two_paths):
    """BEHAVIOUR §2, silence: whatever is written is held, new connections as well."""
    for silent in two_paths:
        sotto = start(*two_paths)
        sotto.load(100, PER_SECOND, prefix=f"warm-{silent.port}").assert_none_failed()
        silent.silence()
        sotto.load(500, PER_SECOND, prefix=f"silent-{silent.port}").assert_none_failed()
        silent.release()
        sotto.assert_right("after.example.")
        assert silent.connections <= 10
    assert_sends(fake, 3)


def test_a_path_that_is_silent_for_a_while_is_used_again(start, fake, path):
    """The only one: queries wait for it, and nobody has to restart anything."""
    sotto = start(path, query_timeout="20s")
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    path.silence()
    with sotto.datagram() as client:
        client.send(*[wire.query(f"silent-{index}.example", ident=index) for index in range(50)])
        sotto.wait_for_log("suspect|silent|no answer")
        path.release()
        assert {client.receive()[3] & 0xF for _ in range(50)} == {0}
    sotto.load(100, PER_SECOND, prefix="after").assert_none_failed()
    assert_sends(fake, 8)


def test_a_flow_that_a_nat_forgot_is_replaced(start, fake, path):
    """BEHAVIOUR §2, silence after idleness: new connections work."""
    sotto = start(path)
    for round_ in range(3):
        sotto.load(50, 10_000, prefix=f"burst-{round_}").assert_none_failed()
        path.forget_connections()
    sotto.load(50, 10_000, prefix="last").assert_none_failed()
    assert 4 <= path.connections <= 12
    assert_sends(fake, 2)


@pytest.mark.parametrize("end", ["reset", "black hole"])
def test_one_of_two_paths_that_ends_loses_nothing(start, fake, two_paths, end):
    """Live connections are reset; then the port is closed, or accepts nothing."""
    first, _ = two_paths
    sotto = start(*two_paths)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    first.refuse()
    if end == "black hole":
        first.black_hole()
    sotto.load(500, PER_SECOND, prefix="gone").assert_none_failed()
    first.start_listening()
    before = first.connections
    numbers = iter(range(100_000))
    wait_for(lambda: sotto.assert_right(f"back-{next(numbers)}.example.")
             and first.connections > before, "the path in use again")
    assert_sends(fake, 3)


def test_queries_wait_for_the_only_path_to_return(start, fake, path):
    """BEHAVIOUR 9: it refuses for a while; nothing is failed meanwhile."""
    sotto = start(path)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    path.refuse()
    with sotto.datagram() as client:
        client.send(*[wire.query(f"wait-{index}.example", ident=index) for index in range(200)])
        sotto.wait_for_log("refused")
        path.start_listening()
        assert {client.receive()[3] & 0xF for _ in range(200)} == {0}
    assert path.connections <= 4
    assert_sends(fake, 3)


def test_a_slow_handshake_is_waited_for_and_not_repeated(start, fake, path):
    """BEHAVIOUR 9: it takes a second, live connections are reset."""
    sotto = start(path)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    path.handshake_delay = 1.0
    path.reset_all()
    before = path.connections
    sotto.load(600, PER_SECOND, prefix="slow").assert_none_failed()
    assert path.connections - before <= 5
    assert_sends(fake, 3)


def test_resets_of_all_connections_lose_nothing(start, fake, path):
    """With answers on their way each time."""
    sotto = start(path)
    sotto.load(50, PER_SECOND, prefix="warm").assert_none_failed()
    for round_ in range(6):
        with sotto.datagram() as client:
            client.send(*[wire.query(f"reset-{round_}-{index}.example", ident=index)
                          for index in range(50)])
            fake.wait_for_query(f"reset-{round_}-49.example")
            path.reset_all()
            assert {client.receive()[3] & 0xF for _ in range(50)} == {0}
    assert 7 <= path.connections <= 13  # one after each reset, and a few spare ones
    assert_sends(fake, 4)


def test_chunks_that_stall_lose_nothing(start, path):
    """One in fifty waits for half a second, and with it all that follows on its connection."""
    path.stall_share, path.stall_seconds = 0.02, 0.5
    sotto = start(path)
    sotto.load(500, PER_SECOND, prefix="stall").assert_none_failed()
    assert path.stalls > 0


# --- the upstream --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["notify", "fin", "reset"])
def test_closing_at_a_certain_age_under_load_loses_nothing(start, fake, kind):
    """BEHAVIOUR §2, close after T seconds at 500 queries a second."""
    fake.close_after, fake.close_kind = 0.15, kind
    fake.answer = answers.late(0.02)
    sotto = start(fake)
    sotto.load(400, PER_SECOND).assert_none_failed()
    assert 4 <= fake.connections <= 12  # one in each of six or seven periods, and a few spare ones
    assert_sends(fake, 8)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_bursts_of_failures_are_asked_of_the_other(start, make_fake, rcode):
    """BEHAVIOUR 13: failures are answers, tried once elsewhere; no client sees one."""
    failing, good = make_fake(), make_fake()
    failing.answer = answers.bursts(rcode, every=100, length=30)
    sotto = start(failing, good)
    sotto.load(400, PER_SECOND).assert_none_failed()
    assert failing.connections == 1
    assert_sends(failing, 1)
    assert_sends(good, 1)


def test_swapped_ids_never_cross_answers(start, fake):
    """BEHAVIOUR 1: two answers go out under each other's ID; both queries are asked again."""
    fake.answer = answers.Swapped(0.1)
    sotto = start(fake)
    result = sotto.load(300, 2_000)
    assert result.wrong == []
    assert_sends(fake, 8)


def test_an_alias_loop_is_passed_on_as_it_is(start, fake):
    """BEHAVIOUR §2: it is the stub's to notice; nothing here follows it, and nothing keeps it."""
    fake.answer = answers.cname_loop
    sotto = start(fake)
    for transport in ("udp", "tcp"):
        response = sotto.ask("loop.example.", transport=transport)
        assert [(str(rrset.name), str(rrset[0].target)) for rrset in response.answer] == [
            ("loop.example.", "loop.other.example."), ("loop.other.example.", "loop.example.")]
    assert len(fake.asked("loop.example")) == 2


def test_a_thousand_records_arrive_in_order(start, fake):
    """BEHAVIOUR 22, §2: over TCP; over UDP the client is told to come back."""
    fake.answer = answers.many_records(1_000)
    sotto = start(fake)
    truncated = sotto.ask("many.example.")
    assert truncated.flags & dns.flags.TC
    (rrset,) = sotto.ask("many.example.", transport="tcp").answer
    assert [rdata.address for rdata in rrset] == [
        f"192.168.{index >> 8}.{index & 255}" for index in range(1_000)]
    assert len(fake.asked("many.example")) == 1


def test_garbage_in_place_of_answers_fails_nothing(start, fake):
    """BEHAVIOUR §2, 7: under no ID of ours, under the query's, behind its question."""
    fake.answer = answers.share(0.04, answers.garbage())
    sotto = start(fake)
    sotto.load(400, PER_SECOND).assert_none_failed()
    assert_sends(fake, 8)
