"""Failures are remembered for a while, so that a broken zone is not asked about all the time
(RFC 9520), and never beyond the outage that caused them."""

import dns.rcode
import pytest

from harness import answers, wire
from harness.clients import extended_errors, extended_text
from harness.numbered import SERVFAIL_EDE, Numbered, number_of
from harness.waiting import wait_for

CACHED_ERROR = 13  # RFC 8914 §4.14


@pytest.fixture
def numbered(fake) -> Numbered:
    fake.answer = Numbered(rcode=wire.SERVFAIL, ede=(SERVFAIL_EDE, "lame"))
    return fake.answer


@pytest.fixture
def sotto(start, fake, numbered, clock):
    return start(fake, env=clock.environment)


def asks_upstream(sotto, fake, name: str, rcode: int = dns.rcode.SERVFAIL) -> bool:
    """Does this failing question go upstream now?"""
    before = len(fake.asked(name))
    assert sotto.ask(name).rcode() == rcode
    return len(fake.asked(name)) > before


def test_a_servfail_is_remembered_with_its_reason(sotto, fake):
    """BEHAVIOUR 30."""
    for transport in ("udp", "tcp", "udp"):
        response = sotto.ask("lame.example.", transport=transport)
        assert response.rcode() == dns.rcode.SERVFAIL
        assert (extended_errors(response), extended_text(response)) == ([SERVFAIL_EDE], ["lame"])
    assert len(fake.asked("lame.example")) == 1


def test_a_remembered_servfail_without_a_reason_says_that_it_is_remembered(sotto, numbered):
    """RFC 8914 §4.14: Cached Error."""
    numbered.ede = None
    assert extended_errors(sotto.ask("plain.example.")) == []
    assert extended_errors(sotto.ask("plain.example.")) == [CACHED_ERROR]


def test_a_servfail_is_held_for_longer_each_time_but_never_beyond_five_minutes(
        sotto, fake, clock):
    """RFC 9520 §3.2: at least a second, at most five minutes."""
    assert asks_upstream(sotto, fake, "lame.example.")
    for hold in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300):
        clock.advance(hold - 0.9)
        assert not asks_upstream(sotto, fake, "lame.example."), hold
        clock.advance(1)
        assert asks_upstream(sotto, fake, "lame.example."), hold


@pytest.mark.parametrize("rcode", [wire.REFUSED, wire.FORMERR, wire.NOTIMP, 9])
def test_every_failure_is_held_as_servfail_is_and_keeps_its_rcode(
        sotto, fake, numbered, clock, rcode):
    """RFC 9520 §3.2: whatever the reason."""
    numbered.rcode = rcode
    assert asks_upstream(sotto, fake, "lame.example.", rcode)
    for hold in (1, 2, 4):
        clock.advance(hold - 0.9)
        for _ in range(3):
            assert not asks_upstream(sotto, fake, "lame.example.", rcode), hold
        clock.advance(1)
        assert asks_upstream(sotto, fake, "lame.example.", rcode), hold


def test_a_refusal_without_a_question_is_held_as_well(sotto, fake):
    fake.answer = answers.refusal(wire.REFUSED)
    assert asks_upstream(sotto, fake, "lame.example.")
    assert not asks_upstream(sotto, fake, "lame.example.")


@pytest.mark.parametrize("rcode", [wire.REFUSED, wire.NOTIMP])
def test_a_stale_answer_comes_before_any_failure(sotto, fake, numbered, clock, rcode):
    numbered.rcode, numbered.ttl = wire.NOERROR, 1
    assert sotto.ask("stale.example.").answer
    clock.advance(2)
    numbered.rcode = rcode
    for _ in range(3):
        response = sotto.ask("stale.example.")
        assert response.answer and extended_errors(response) == [3]  # Stale Answer
    assert len(fake.asked("stale.example")) == 2


def test_a_servfail_concerns_its_own_question_only(sotto, fake, numbered):
    assert asks_upstream(sotto, fake, "lame.example.")
    numbered.rcode = wire.NOERROR
    assert sotto.ask("lame.example.", want_dnssec=True).answer
    assert sotto.ask("beside.example.").answer
    assert not asks_upstream(sotto, fake, "lame.example.")


def test_an_answer_ends_the_memory_of_failures(start, fake, numbered, clock):
    """The next failure starts from a second again."""
    sotto = start(fake, cache={"stale": {"max_age": "0s"}}, env=clock.environment)
    for hold in (1, 2, 4):
        assert asks_upstream(sotto, fake, "lame.example.")
        clock.advance(hold + 0.1)
    numbered.rcode = wire.NOERROR
    assert sotto.ask("lame.example.").answer
    clock.advance(numbered.ttl + 1)
    numbered.rcode = wire.SERVFAIL
    assert asks_upstream(sotto, fake, "lame.example.")
    clock.advance(1.1)
    assert asks_upstream(sotto, fake, "lame.example.")


def test_a_failure_with_a_reason_given_on_purpose_is_remembered_too(sotto, fake, numbered):
    """RFC 9520 §3.2 counts DNSSEC failures among those to be cached."""
    numbered.ede = (6, "bogus")
    for _ in range(3):
        response = sotto.ask("bogus.example.")
        assert (response.rcode(), extended_errors(response)) == (dns.rcode.SERVFAIL, [6])
    assert len(fake.asked("bogus.example")) == 1


def test_silence_is_not_remembered_beyond_a_second(start, fake, numbered, clock):
    """BEHAVIOUR 30: only a SERVFAIL that an upstream sent is."""
    numbered.silent = True
    sotto = start(fake, query_timeout="500ms", env=clock.environment)
    for _ in range(3):  # the same each time: what is not an upstream's word does not grow
        assert asks_upstream(sotto, fake, "mute.example.")
        clock.advance(1.1)
    numbered.silent, numbered.rcode = False, wire.NOERROR
    assert sotto.ask("mute.example.").answer


def test_failures_are_forgotten_when_the_upstreams_come_back(sotto, fake, numbered, clock):
    """BEHAVIOUR 30: whatever failed while all were in trouble may work now."""
    for hold in (1, 2, 4, 8, 16):
        assert asks_upstream(sotto, fake, "lame.example.")
        clock.advance(hold + 0.1)
    assert asks_upstream(sotto, fake, "lame.example.")  # held for 32 seconds now
    assert not asks_upstream(sotto, fake, "lame.example.")
    fake.go_down()
    with sotto.datagram() as client:
        client.send(wire.query("out.example"))
        sotto.wait_for_log("upstream.*(failed|refused)")
        numbered.rcode = wire.NOERROR
        fake.start_listening()
        assert client.receive()[3] & 0xF == dns.rcode.NOERROR
    assert number_of(sotto.ask("lame.example.")) == len(fake.asked("lame.example"))


@pytest.mark.parametrize("workers", [1, 2])
def test_whoever_failed_for_lack_of_upstreams_is_served_when_they_return(
        start, fake, numbered, workers):
    numbered.rcode = wire.NOERROR
    fake.go_down()
    sotto = start(fake, query_timeout="500ms", workers=workers)
    assert sotto.ask("later.example.").rcode() == dns.rcode.SERVFAIL
    fake.start_listening()
    wait_for(lambda: sotto.ask("later.example.").answer, "an answer")
