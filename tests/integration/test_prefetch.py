"""Answers asked for in the last tenth of their life are refreshed before they expire."""

import pytest

from harness import wire
from harness.numbered import SERVFAIL_EDE, Numbered, number_of
from harness.waiting import wait_for

TTL = 300
NEARLY = 0.9 * TTL + 1  # seconds after which the last tenth has begun


@pytest.fixture
def numbered(fake) -> Numbered:
    fake.answer = Numbered(ttl=TTL)
    return fake.answer


@pytest.fixture
def sotto(start, fake, numbered, clock):
    return start(fake, env=clock.environment)


def wait_for_number(sotto, name: str, number: int) -> None:
    wait_for(lambda: number_of(sotto.ask(name)) == number, f"answer {number} about {name}")


@pytest.mark.parametrize("workers", [1, 2])
def test_many_clients_cause_one_refresh_and_wait_for_none(
        start, fake, numbered, clock, workers):
    # Without hedges: while queries are held, a late one would be asked twice.
    sotto = start(fake, workers=workers, hedge={"budget": 0}, env=clock.environment)
    sotto.ask("popular.example.")
    clock.advance(NEARLY)
    with fake.held():  # nobody waits for what has not come
        for _ in range(50):
            assert number_of(sotto.ask("popular.example.")) == 1
        fake.wait_for_query("popular.example", 2)
    wait_for_number(sotto, "popular.example.", 2)
    response = sotto.ask("popular.example.")
    assert TTL - 5 <= response.answer[0].ttl <= TTL
    assert len(fake.asked("popular.example")) == 2


def test_before_the_last_tenth_nothing_is_refreshed(sotto, fake, clock):
    sotto.ask("popular.example.")
    clock.advance(NEARLY - 10)
    assert number_of(sotto.ask("popular.example.")) == 1
    sotto.ask("other.example.")  # a refresh would have been sent before it
    assert len(fake.asked("popular.example")) == 1


def test_a_name_asked_for_again_and_again_never_misses(sotto, fake, clock):
    sotto.ask("popular.example.")
    for number in range(2, 22):
        clock.advance(NEARLY)
        assert number_of(sotto.ask("popular.example.")) == number - 1
        wait_for_number(sotto, "popular.example.", number)
    assert len(fake.asked("popular.example")) == 21
    assert sotto.stop() == 0
    line = sotto.wait_for_log("stopped.clients")
    assert " misses=1 " in line and " prefetched=20 " in line


def test_a_name_asked_for_once_is_left_to_expire(sotto, fake, clock):
    sotto.ask("once.example.")
    for _ in range(5):
        clock.advance(NEARLY)
        sotto.ask("localhost.")
    sotto.ask("other.example.")
    assert len(fake.asked("once.example")) == 1


def test_a_percentage_of_0_switches_it_off(start, fake, numbered, clock):
    sotto = start(fake, cache={"prefetch": 0}, env=clock.environment)
    sotto.ask("popular.example.")
    clock.advance(NEARLY)
    for _ in range(3):
        assert number_of(sotto.ask("popular.example.")) == 1
    sotto.ask("other.example.")
    assert len(fake.asked("popular.example")) == 1


def test_a_refresh_that_fails_leaves_the_answer_until_it_expires(sotto, fake, numbered, clock):
    sotto.ask("popular.example.")
    clock.advance(NEARLY)
    numbered.rcode, numbered.ede = wire.SERVFAIL, (SERVFAIL_EDE, "lame")
    for _ in range(5):
        assert number_of(sotto.ask("popular.example.")) == 1
    fake.wait_for_query("popular.example", 2)
    sotto.ask("other.example.")  # its failure comes behind the refresh's
    assert number_of(sotto.ask("popular.example.")) == 1
