"""Several upstreams in order: who is asked, when the next one is, and the way back."""

import dns.rcode
import pytest

from harness import answers, fake_upstream, wire
from harness.clients import extended_errors
from harness.waiting import wait_for


@pytest.fixture
def pair(make_fake):
    return make_fake(), make_fake()


def test_the_first_upstream_answers_while_it_can(start, pair):
    first, second = pair
    sotto = start(first, second)
    sotto.load(300, 1_000).assert_none_failed()
    assert (len(first.queries), len(second.queries)) == (300, 0)


def test_the_next_one_is_asked_when_the_first_is_down(start, pair):
    first, second = pair
    first.stop_listening()
    sotto = start(first, second)
    sotto.load(300, 500).assert_none_failed()
    assert len(second.queries) >= 300


def test_the_fall_of_the_first_loses_no_query(start, pair):
    """Promise 2: what was in flight on the first is answered by the second."""
    first, second = pair
    first.answer = answers.late(0.05)
    sotto = start(first, second)
    sotto.assert_right("warm.example.")
    with sotto.datagram() as client:
        client.send(*[wire.query(f"fall-{index}.example", ident=index) for index in range(100)])
        first.wait_for_query("fall-99.example")
        first.answer = answers.nothing
        first.go_down()
        received = [client.receive() for _ in range(100)]
    assert {message[3] & 0xF for message in received} == {0}
    sotto.load(200, 500, prefix="after").assert_none_failed()


def test_the_first_is_used_again_after_its_return(start, pair):
    """In order: the way back is found without a restart."""
    first, second = pair
    sotto = start(first, second)
    sotto.assert_right("before.example.")
    first.go_down()
    sotto.assert_right("down.example.")
    assert len(second.asked("down.example")) == 1
    first.start_listening()
    numbers = iter(range(10_000))

    def first_answers_again() -> bool:
        name = f"back-{next(numbers)}.example"
        sotto.assert_right(name + ".")
        return bool(first.asked(name))

    wait_for(first_answers_again, "the first upstream in use again")


@pytest.mark.parametrize("fault", ["mute", "close", "reset", "http", "plaintext"])
def test_a_first_upstream_that_cannot_connect_delays_no_query_to_death(start, pair, fault):
    """BEHAVIOUR 9: connect + handshake have a deadline, and the next one is tried meanwhile."""
    first, second = pair
    first.on_connect = fault
    sotto = start(first, second)
    sotto.load(200, 200).assert_none_failed()
    assert first.queries == [] and len(second.queries) >= 200


def test_a_connect_black_hole_before_a_good_upstream(start, make_fake):
    """BEHAVIOUR 9."""
    good = make_fake()
    with fake_upstream.BlackHole() as hole:
        sotto = start(hole, good)
        sotto.load(100, 200).assert_none_failed()


def test_silence_of_the_first_is_asked_of_the_second(start, pair):
    """BEHAVIOUR 8: the suspicion timer, never the overall deadline, sends the query elsewhere; the
    deadline is a minute here."""
    first, second = pair
    sotto = start(first, second, query_timeout="60s")
    sotto.load(100, 500, prefix="warm").assert_none_failed()
    first.stop_listening()
    first.silence()
    result = sotto.load(300, 500, prefix="elsewhere")
    result.assert_none_failed()
    assert len(second.queries) >= 300


def test_half_of_the_addresses_dead(start, make_fake):
    """BEHAVIOUR §2: one provider, two addresses, the first of them dead."""
    good = make_fake()
    with fake_upstream.BlackHole() as hole:
        sotto = start({"url": [hole.url(), good.url()]})
        sotto.load(100, 200).assert_none_failed()


def test_ipv6_upstreams_are_spoken_to(start, make_fake):
    fake = make_fake(address="::1")
    sotto = start(fake)
    sotto.assert_right("six.example.")
    assert sotto.peers() == {("::1", fake.port)}


def test_an_address_without_a_route_is_skipped(start, make_fake):
    """BEHAVIOUR §2, IPv6 hole: 2001:db8::/32 is routed nowhere."""
    good = make_fake()
    sotto = start({"url": [f"tls://[2001:db8::1]:{good.port}#dns.test", good.url()]})
    sotto.load(50, 200).assert_none_failed()


def test_a_mute_upstream_alone_gives_servfail_and_both_reasons_are_told(start, pair):
    first, second = pair
    first.answer = second.answer = answers.nothing
    sotto = start(first, second, query_timeout="800ms")
    response = sotto.ask("nobody.example.")
    assert (response.rcode(), extended_errors(response)) == (dns.rcode.SERVFAIL, [23])
    sends = len(first.asked("nobody.example")) + len(second.asked("nobody.example"))
    assert 2 <= sends <= 8


def test_a_slow_first_upstream_does_not_win_twice(start, pair):
    """BEHAVIOUR 4: whoever answers first, the client gets one answer."""
    first, second = pair
    first.answer = answers.late(0.6)
    sotto = start(first, second)
    result = sotto.load(100, 200, prefix="once")
    result.assert_none_failed()
