"""Expired answers when there is nothing better (RFC 8767), and only then."""

import dns.flags
import dns.message
import dns.rcode
import pytest

from harness import wire
from harness.clients import extended_errors
from harness.numbered import SERVFAIL_EDE, Numbered, number_of
from harness.waiting import wait_for

STALE, STALE_NXDOMAIN = 3, 19  # RFC 8914 §4.4, §4.20
DAY = 86_400
RECHECK = 30.1  # seconds until a stale name is asked about again


@pytest.fixture
def numbered(fake) -> Numbered:
    fake.answer = Numbered()
    return fake.answer


@pytest.fixture
def begin(start, fake, numbered, clock):
    """Starts sotto, lets it learn old.example and the answer expire."""
    def make(*, workers: int = 1, query_timeout: str = "60s", passed: float = 301, **stale):
        changes = {"cache": {"stale": stale}} if stale else {}
        sotto = start(fake, env=clock.environment, workers=workers, query_timeout=query_timeout,
                      **changes)
        sotto.ask("old.example.")
        clock.advance(passed)
        return sotto

    return make


def fail(numbered: Numbered) -> None:
    numbered.rcode, numbered.ede = wire.SERVFAIL, (SERVFAIL_EDE, "lame")


def assert_stale(response: dns.message.Message, number: int = 1) -> None:
    assert (number_of(response), response.answer[0].ttl, extended_errors(response)) == (
        number, 30, [STALE])
    assert not response.flags & dns.flags.AD


def assert_fresh(response: dns.message.Message, number: int) -> None:
    assert (number_of(response), extended_errors(response)) == (number, [])


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_whoever_waits_too_long_gets_a_stale_answer(begin, numbered, transport):
    """The query itself would be waited for for a minute."""
    sotto = begin()
    numbered.silent = True
    assert_stale(sotto.ask("old.example.", transport=transport))


def test_everybody_who_waits_gets_one(begin, fake, numbered):
    sotto = begin()
    numbered.silent = True
    with sotto.datagram() as client:
        client.send(*[wire.query("old.example", ident=ident, opt=wire.opt_record())
                      for ident in range(50)])
        responses = [dns.message.from_wire(client.receive()) for _ in range(50)]
    for response in responses:
        assert_stale(response)
    assert {response.id for response in responses} == set(range(50))
    assert len(fake.asked("old.example")) - 1 <= 3  # one exchange, resent as the silence lasts


def test_an_answer_in_time_is_preferred(begin):
    assert_fresh(begin().ask("old.example."), 2)


def test_a_late_answer_refreshes_what_is_kept(begin, fake):
    sotto = begin()
    with fake.held():
        assert_stale(sotto.ask("old.example."))
        sent = len(fake.asked("old.example"))
    wait_for(lambda: number_of(sotto.ask("old.example.")) > 1, "the late answer in the cache")
    assert len(fake.asked("old.example")) == sent


def test_a_failure_gives_the_stale_answer_at_once(begin, numbered):
    sotto = begin()
    fail(numbered)
    assert_stale(sotto.ask("old.example."))


def test_without_any_upstream_a_stale_answer_is_given_without_waiting(begin, fake):
    sotto = begin(query_timeout="500ms")
    fake.go_down()
    assert sotto.ask("unknown.example.").rcode() == dns.rcode.SERVFAIL
    for _ in range(3):
        assert_stale(sotto.ask("old.example."))
    assert sotto.stop() == 0
    assert " stale=3 stale_waited=0 " in sotto.wait_for_log("stopped.clients")


def test_refused_connections_give_the_stale_answer(begin, fake):
    sotto = begin()
    fake.go_down()
    assert_stale(sotto.ask("old.example."))


def test_ad_is_cleared_on_stale_answers(begin, numbered):
    """BEHAVIOUR 26."""
    numbered.flags = wire.RA | wire.AD
    sotto = begin()
    fail(numbered)
    query = dns.message.make_query("old.example.", "A", use_edns=0)
    query.flags |= dns.flags.AD
    assert_stale(sotto.udp(query))


def test_a_stale_nxdomain_has_an_extended_error_of_its_own(begin, numbered):
    numbered.rcode, numbered.soa = wire.NXDOMAIN, (300, 300)
    sotto = begin()
    fail(numbered)
    response = sotto.ask("old.example.")
    assert (response.rcode(), extended_errors(response), response.authority[0].ttl) == (
        dns.rcode.NXDOMAIN, [STALE_NXDOMAIN], 30)


def test_a_stale_answer_to_a_client_without_edns_has_no_opt(begin, numbered):
    sotto = begin()
    fail(numbered)
    response = sotto.ask("old.example.", use_edns=False)
    assert (number_of(response), response.edns) == (1, -1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stale_name_is_asked_about_every_thirty_seconds_at_most(
        begin, fake, numbered, clock, workers):
    """BEHAVIOUR 31."""
    sotto = begin(workers=workers)
    fail(numbered)
    for round_ in range(1, 4):
        for _ in range(10):
            assert_stale(sotto.ask("old.example."))
        assert len(fake.asked("old.example")) == 1 + round_
        clock.advance(25)
        assert_stale(sotto.ask("old.example."))
        assert len(fake.asked("old.example")) == 1 + round_
        clock.advance(RECHECK - 25)


def test_what_works_again_is_fresh_after_the_next_recheck(begin, numbered, clock):
    sotto = begin()
    fail(numbered)
    assert_stale(sotto.ask("old.example."))
    numbered.rcode, numbered.ede = wire.NOERROR, None
    clock.advance(RECHECK)
    assert_fresh(sotto.ask("old.example."), 3)


def test_upstreams_that_come_back_end_staleness_at_once(begin, fake, numbered):
    """BEHAVIOUR 30: the recheck time carries an epoch."""
    sotto = begin(query_timeout="500ms")
    fake.go_down()
    assert sotto.ask("unknown.example.").rcode() == dns.rcode.SERVFAIL
    assert_stale(sotto.ask("old.example."))
    fake.start_listening()
    wait_for(lambda: sotto.ask("unknown.example.").answer, "an answer")
    wait_for(lambda: number_of(sotto.ask("old.example.")) == 2, "the fresh answer")


@pytest.mark.parametrize("max_age, seconds", [(None, DAY), ("1h", 3_600)])
def test_nothing_is_given_beyond_the_greatest_age(begin, numbered, clock, max_age, seconds):
    sotto = begin(**({"max_age": max_age} if max_age else {}))
    fail(numbered)
    clock.advance(seconds - 30)
    assert_stale(sotto.ask("old.example."))
    clock.advance(RECHECK)
    assert sotto.ask("old.example.").rcode() == dns.rcode.SERVFAIL


def test_a_greatest_age_of_0_switches_it_off(begin, numbered):
    sotto = begin(max_age="0s")
    fail(numbered)
    assert sotto.ask("old.example.").rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize("code", [6, 7, 9, 15, 16, 17])
def test_a_failure_on_purpose_is_passed_on(begin, numbered, code):
    """What a validator or a filter says is not an outage."""
    sotto = begin()
    numbered.rcode, numbered.ede = wire.SERVFAIL, (code, "on purpose")
    response = sotto.ask("old.example.")
    assert (response.rcode(), extended_errors(response)) == (dns.rcode.SERVFAIL, [code])


def test_failures_displace_no_answer(begin, fake, numbered, clock):
    sotto = begin(passed=0)
    fail(numbered)
    assert_fresh(sotto.ask("old.example."), 1)
    clock.advance(301)
    for _ in range(5):
        assert_stale(sotto.ask("old.example."))
        clock.advance(RECHECK)
    fake.go_down()
    assert_stale(sotto.ask("old.example."))


def test_nxdomain_displaces_an_expired_answer(begin, numbered):
    """It is an answer, not an outage."""
    sotto = begin()
    numbered.rcode, numbered.soa = wire.NXDOMAIN, (300, 300)
    assert sotto.ask("old.example.").rcode() == dns.rcode.NXDOMAIN
    fail(numbered)
    assert sotto.ask("old.example.").rcode() == dns.rcode.NXDOMAIN
