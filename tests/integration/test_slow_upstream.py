"""An upstream that is merely slow is waited for, not asked more often (RFC 9520 §3.1)."""

import time

import pytest

from harness import answers, wire

SENDS_MAX = 3  # of one question to one upstream


@pytest.mark.parametrize("seconds", [1, 2])
def test_no_name_is_sent_more_than_three_times(start, fake, seconds):
    fake.answer = answers.late(seconds)
    sotto = start(fake)
    for index in range(8):
        sotto.assert_right(f"slow-{index}.example.")
    sends = [len(fake.asked(f"slow-{index}.example")) for index in range(8)]
    assert max(sends) <= SENDS_MAX, sends


def test_nor_when_clients_ask_again_and_again(start, fake):
    """Each is another query, so late that it does not join the first one's exchange."""
    fake.answer = answers.nothing
    sotto = start(fake, query_timeout="60s")
    with sotto.datagram() as client:
        for ident in range(12):  # for 3.6 s and more: the first has not failed yet
            client.send(wire.query("silent.example", ident=ident))
            time.sleep(0.3)
    assert len(fake.asked("silent.example")) <= SENDS_MAX


def test_whoever_comes_later_gets_the_same_answer(start, fake):
    sotto = start(fake)
    with sotto.datagram() as client:
        with fake.held():
            client.send(wire.query("held.example", ident=1))
            fake.wait_for_query("held.example")
            time.sleep(1.1)  # too late to join the exchange
            client.send(wire.query("held.example", ident=2))
            sotto.ask("localhost.")  # so it has been taken by now
            asked = len(fake.asked("held.example"))
        responses = [client.receive() for _ in range(2)]
    assert {response[1] for response in responses} == {1, 2}
    assert {response[3] & 0xF for response in responses} == {wire.NOERROR}
    assert len(fake.asked("held.example")) == asked <= SENDS_MAX
