"""Faults of connections under load: no query is lost while new connections work. BEHAVIOUR §2, 6–8.
The full numbers of queries belong to script/bench; here each fault meets enough to show itself."""

import os

import dns.rcode
import pytest

from harness import answers, fake_upstream, wire
from harness.clients import extended_errors
from harness.waiting import wait_for

QUERIES, PER_SECOND = 2_000, 500


def assert_budget(fake, cap: int = 8) -> None:
    """BEHAVIOUR 7: the hard cap of sends per query."""
    assert max(fake.sends().values()) <= cap


def test_reset_every_250_ms_loses_nothing(start, fake):
    """BEHAVIOUR 7: what is unanswered is sent again at once. Target: 0 of 5,000 queries fail."""
    fake.reset_after = 0.25
    fake.answer = answers.late(0.005)  # so that each reset meets queries in flight
    sotto = start(fake)
    sotto.load(QUERIES, PER_SECOND).assert_none_failed()
    assert fake.connections >= 5
    assert_budget(fake)


@pytest.mark.parametrize("kind", ["notify", "fin", "reset"])
def test_closing_after_every_50_answers_loses_nothing(start, fake, kind):
    """Target: 0 of 5,000 queries fail."""
    fake.close_after_answers, fake.close_kind = 50, kind
    sotto = start(fake)
    sotto.load(QUERIES // 2, PER_SECOND).assert_none_failed()
    assert fake.connections >= 20
    assert_budget(fake)


def test_a_server_that_counts_is_left_before_it_closes(start, fake):
    """Two connections show it; each of the others would leave ten queries to be sent again."""
    fake.close_after_answers, fake.answer = 50, answers.late(0.02)
    sotto = start(fake, hedge={"budget": 0})
    sotto.load(QUERIES // 2, PER_SECOND).assert_none_failed()
    closed = QUERIES // 2 // 50
    assert fake.connections >= closed
    assert len(fake.queries) - QUERIES // 2 < 3 * closed


@pytest.mark.parametrize("after", [1, 3])
def test_closing_after_few_answers_loses_nothing(start, fake, after):
    """BEHAVIOUR 7: what is in flight is limited to what that server answers per connection."""
    fake.close_after_answers, fake.close_kind = after, "fin"
    sotto = start(fake)
    sotto.load(60, 30).assert_none_failed()
    assert fake.answers_sent >= 60
    assert_budget(fake)


def test_a_burst_at_a_server_that_closes_after_few_answers_loses_nothing(start, fake):
    """The same with 40 queries at once: they are carried by one connection after the other."""
    fake.close_after_answers, fake.close_kind = 5, "fin"
    sotto = start(fake)
    sotto.load(40, 100_000).assert_none_failed()
    assert_budget(fake)


def test_closing_mid_pipeline_resends_what_was_unanswered(start, fake):
    """The connection that gets its 30th query closes with ten in flight."""
    fake.answer = answers.late(0.02)
    fake.close_after_queries, fake.close_kind = 30, "fin"
    sotto = start(fake)
    sotto.load(600, PER_SECOND).assert_none_failed()
    assert fake.connections >= 15
    assert_budget(fake)


def test_silence_is_noticed_and_asked_elsewhere(start, fake):
    """BEHAVIOUR 8: writes succeed, nothing comes back, while new connections work. Again and again
    all connections fall silent; nothing fails and nobody restarts anything."""
    sotto = start(fake)
    sotto.load(200, PER_SECOND, prefix="warm").assert_none_failed()
    for round_ in range(3):
        fake.silence()
        sotto.load(300, PER_SECOND, prefix=f"silent-{round_}").assert_none_failed()
    assert fake.connections >= 4
    assert_budget(fake)


def test_a_server_that_stops_reading_is_replaced(start, fake):
    """BEHAVIOUR §2, zero window: writes pile up on the old connection; new ones read again."""
    sotto = start(fake)
    sotto.load(100, PER_SECOND, prefix="warm").assert_none_failed()
    fake.stop_reading()
    fake.reading = True
    sotto.load(500, PER_SECOND, prefix="window").assert_none_failed()
    assert fake.connections >= 2


@pytest.mark.parametrize("after", ["reset", "fin", "notify"])
def test_a_connection_closed_while_idle_costs_no_query(start, fake, after):
    """BEHAVIOUR 10, §2: RST or FIN when idle, met by the next query."""
    fake.close_kind = after
    sotto = start(fake)
    for index in range(10):
        sotto.assert_right(f"idle-{index}.example.")
        fake.close_all()
    assert max(fake.sends().values()) <= 2


def test_a_close_that_races_with_the_query_costs_no_query(start, fake):
    """The server closes after 20 ms without queries; queries come every 20 ms."""
    fake.idle_after, fake.close_kind = 0.02, "reset"
    sotto = start(fake)
    sotto.load(150, 50, prefix="race").assert_none_failed()


def test_one_connection_per_client_suffices(start, fake):
    """BEHAVIOUR §2: the server resets a second connection while the first is open."""
    fake.connections_max = 1
    sotto = start(fake)
    sotto.load(500, PER_SECOND).assert_none_failed()
    assert len(fake.live) == 1


@pytest.mark.parametrize("fault", ["reset", "close", "mute"])
def test_a_reconnect_storm_is_bounded_and_ends(start, fake, fault):
    """BEHAVIOUR 6, §2: accepts and closes at once. Back-off bounds the connections; queries get
    SERVFAIL + EDE 22 or 23; the first query after the fault succeeds."""
    fake.on_connect = fault
    sotto = start(fake, query_timeout="1s")
    result = sotto.load(200, 100, prefix="storm")
    assert (result.right, result.lost, dict(result.rcodes)) == (0, 0, {wire.SERVFAIL: 200})
    # About three seconds; attempts are at least 50 ms, doubling to 100 ms, apart.
    assert fake.connections <= 60
    assert extended_errors(sotto.ask("down.example.")) in ([22], [23])
    fake.on_connect = "serve"
    wait_for(lambda: sotto.ask("up.example.").answer, "healing")
    sotto.load(100, PER_SECOND, prefix="healed").assert_none_failed()


def test_a_connect_black_hole_ends_in_servfail_within_the_deadline(start):
    """BEHAVIOUR 9: the connection never completes; the query ends at its own deadline."""
    with fake_upstream.BlackHole() as hole:
        sotto = start(hole, query_timeout="500ms")
        response = sotto.ask("hole.example.")
        assert response.rcode() == dns.rcode.SERVFAIL
        assert extended_errors(response) == [22]


def test_query_timeouts_end_in_servfail_with_ede_23(start, fake):
    """BEHAVIOUR 8, 9, 37: the connection works, the answer does not come."""
    fake.answer = answers.nothing
    sotto = start(fake, query_timeout="400ms")
    for transport in ("udp", "tcp"):
        response = sotto.ask(f"timeout-{transport}.example.", transport=transport)
        assert (response.rcode(), response.answer) == (dns.rcode.SERVFAIL, [])
        assert extended_errors(response) == [23]
    assert_budget(fake)


def test_everything_down_and_back_serves_the_first_query(start, fake):
    """Promise 2: the first query after the network returns succeeds, with no restart; queries that
    wait when it returns succeed as well (BEHAVIOUR 9)."""
    sotto = start(fake, query_timeout="10s")
    sotto.assert_right("before.example.")
    fake.go_down()
    with sotto.datagram() as client:
        client.send(*[wire.query(f"waiting-{index}.example", ident=index, opt=wire.opt_record())
                      for index in range(50)])
        # The first attempts after the fall have been refused before the server comes back.
        sotto.wait_for_log(r"(?i)refused|unreachable|reset")
        fake.start_listening()
        for _ in range(50):
            message = client.receive()
            index = int.from_bytes(message[:2], "big")
            # With OPT, so that a failure of this test shows the EDE.
            assert wire.oracle_address(wire.name_octets(f"waiting-{index}.example")) in message
    sotto.assert_right("after.example.")


def test_fails_while_down_and_succeeds_at_once_when_back(start, fake):
    sotto = start(fake, query_timeout="300ms")
    sotto.assert_right("before.example.")
    fake.go_down()
    response = sotto.ask("down.example.")
    assert (response.rcode(), extended_errors(response)) == (dns.rcode.SERVFAIL, [22])
    fake.start_listening()
    sotto.assert_right("after.example.")


def test_never_started_upstream_serves_the_first_query_when_it_comes(start, fake):
    fake.stop_listening()
    sotto = start(fake, query_timeout="300ms")
    assert sotto.ask("early.example.").rcode() == dns.rcode.SERVFAIL
    fake.start_listening()
    sotto.assert_right("first.example.")


def test_late_answers_are_still_taken_within_the_deadline(start, fake):
    """BEHAVIOUR 13: a slow answer is not a dead upstream."""
    fake.answer = answers.late(1.2)
    sotto = start(fake)
    sotto.assert_right("late.example.")
    assert len(fake.asked("late.example")) <= 3


def test_one_slow_answer_among_fast_ones_kills_nothing(start, fake):
    """BEHAVIOUR 8, 13: octets keep arriving, so the connection is not suspect."""
    fake.answer = answers.slow_names("slow", 1.5)
    sotto = start(fake)
    with sotto.datagram() as client:
        client.send(wire.query("slow.example", ident=1))
        sotto.load(500, PER_SECOND, prefix="fast").assert_none_failed()
        assert client.receive().endswith(wire.oracle_address(wire.name_octets("slow.example")))
    assert fake.connections == 1
    assert len(fake.asked("slow.example")) == 1


def test_descriptors_return_to_the_baseline(start, fake):
    """BEHAVIOUR §4.7: hundreds of dead connections leave nothing behind."""
    sotto = start(fake)
    sotto.assert_right("first.example.")
    before = len(os.listdir(f"/proc/{sotto.pid}/fd"))
    fake.close_after_answers = 1
    sotto.load(100, 100, prefix="once").assert_none_failed()
    fake.close_after_answers = 0
    sotto.assert_right("last.example.")
    wait_for(lambda: len(os.listdir(f"/proc/{sotto.pid}/fd")) <= before + 1, "descriptors closed")
