"""Which upstream answers are believed: connection + ID + question, else dropped (RFC 5452 §9.1)."""

import struct

import dns.rcode
import pytest

from harness import answers, wire
from harness.clients import extended_errors


@pytest.mark.parametrize("kind", ["name", "type", "class"])
def test_forged_answers_are_dropped_and_the_query_asked_again(start, fake, kind):
    """BEHAVIOUR 1, 7: a discarded answer on an outstanding ID is asked again at once."""
    fake.answer = answers.once(lambda asked: answers.wrong(asked, kind))
    sotto = start(fake, query_timeout="60s")
    for index in range(5):
        sotto.assert_right(f"asked-{index}.example.")
    assert set(fake.sends().values()) == {2}


def test_an_answer_under_another_id_is_not_taken_and_asked_for_again(start, fake):
    """BEHAVIOUR 1, 7; two wrong answers do not count among the three sends: decision 0037."""
    fake.answer = lambda asked: [(0, answers.wrong(asked, "id")),
                                 (0.02, answers.right_message(asked))]
    sotto = start(fake)
    for index in range(5):
        sotto.assert_right(f"asked-{index}.example.")
    assert 3 <= max(fake.sends().values()) <= 5


@pytest.mark.parametrize("kind", ["id", "name", "type", "class"])
def test_forged_answers_alone_end_in_servfail_and_few_sends(start, fake, kind):
    """BEHAVIOUR 7: hard cap 8; §4.1: never a wrong answer."""
    fake.answer = answers.always_wrong(kind)
    sotto = start(fake, query_timeout="1s")
    response = sotto.ask("asked.example.")
    assert (response.rcode(), response.answer) == (dns.rcode.SERVFAIL, [])
    assert len(extended_errors(response)) == 1
    assert 1 <= len(fake.asked("asked.example")) <= 8
    fake.answer = answers.right
    sotto.assert_right("after.example.")


def test_repeated_mismatches_retire_the_connection(start, fake):
    """DESIGN §3.5; the connection that keeps sending forgeries is replaced."""
    fake.answer = answers.always_wrong("name")
    sotto = start(fake, query_timeout="500ms")
    for index in range(20):
        sotto.ask(f"retire-{index}.example.")
        if fake.connections > 1:
            break
    assert fake.connections > 1


def test_another_spelling_of_the_question_matches(start, fake):
    """BEHAVIOUR 25."""
    fake.answer = answers.other_spelling
    sotto = start(fake)
    sotto.assert_right("www.Spelling.example.")
    assert len(fake.asked("www.spelling.example")) == 1


def test_duplicate_answers_do_no_harm(start, fake):
    """BEHAVIOUR 1, 4: one response per query, and the next query gets its own."""
    fake.answer = answers.duplicate
    sotto = start(fake)
    fake_load = sotto.load(300, per_second=1_000, prefix="dup")
    fake_load.assert_none_failed()
    assert fake.sends().most_common(1)[0][1] == 1


def test_unasked_answers_do_no_harm(start, fake):
    """An answer to a question that nobody asked, before each right one."""
    unasked = struct.pack("!HHHHHH", 0x1111, wire.QR | wire.RA, 1, 0, 0, 0) + (
        wire.name_octets("unasked.example") + b"\0\1\0\1")
    fake.answer = answers.then_right(unasked)
    sotto = start(fake)
    for index in range(3):
        sotto.assert_right(f"asked-{index}.example.")


@pytest.mark.parametrize("octets", [b"", b"\x12", b"\x12\x34\x80", b"\0" * 11, b"\xff" * 12,
                                    b"\xff" * 500], ids=len)
def test_short_and_senseless_messages_do_no_harm(start, fake, octets):
    """BEHAVIOUR 14, §2: length 0, short, garbage; the right answer behind is taken, from this
    connection or the next."""
    fake.answer = answers.then_right(octets)
    sotto = start(fake)
    sotto.assert_right("short.example.")


def test_header_only_answers_are_not_answers(start, fake):
    """BEHAVIOUR 1: no question, no match."""
    fake.answer = answers.once(answers.header_only)
    start(fake).assert_right("header.example.")


def broken(asked: wire.Query) -> bytes:
    """The question matches, the records behind it do not parse."""
    return wire.respond(asked, (b"\xc0\x0c\x00\x01",), edns=False)


def test_a_malformed_answer_is_not_passed_on(start, fake):
    """BEHAVIOUR 7: asked again; when it stays malformed: SERVFAIL."""
    fake.answer = answers.message(broken)
    sotto = start(fake, query_timeout="1s")
    response = sotto.ask("broken.example.")
    assert (response.rcode(), response.answer) == (dns.rcode.SERVFAIL, [])
    assert 2 <= len(fake.asked("broken.example")) <= 8


def test_a_malformed_answer_once_is_healed_by_asking_again(start, fake):
    fake.answer = answers.once(broken)
    start(fake).assert_right("healed.example.")


def test_answers_trickled_octet_by_octet_arrive(start, fake):
    """BEHAVIOUR 14: each octet in a TLS record of its own."""
    fake.trickle = True
    sotto = start(fake)
    for index in range(3):
        sotto.assert_right(f"trickle-{index}.example.")


@pytest.mark.parametrize("octets", [16_384, 40_000, 65_535])
def test_answers_of_64_kb_pass_over_tcp(start, fake, octets):
    """BEHAVIOUR §2. Nothing is lost although rewriting may shorten the message."""
    fake.answer = answers.of_size(octets)
    response = start(fake).ask("huge.example.", "TXT", transport="tcp")
    assert not response.flags & 0x0200
    # One record per 268 octets, see of_size(): the last may be shorter.
    expected = -(-(octets - 60) // 268)
    assert abs(len(response.answer[0]) - expected) <= 1


def test_tc_over_tls_is_passed_on(start, fake):
    """BEHAVIOUR §2: nothing larger than a stream exists, so the client is told the truth."""
    fake.answer = answers.message(
        lambda asked: answers.right_message(asked, flags=wire.RA | wire.TC))
    response = start(fake).ask("tc.example.", transport="tcp")
    assert response.flags & 0x0200 or response.rcode() == dns.rcode.SERVFAIL


def test_answers_after_the_timeout_never_reach_another_query(start, fake):
    """BEHAVIOUR 2: late answers (here after each query has failed) meet no reused ID."""
    fake.answer = answers.late(0.6)
    sotto = start(fake, query_timeout="300ms")
    with sotto.datagram() as client:
        client.send(*[wire.query(f"late-{index}.example", ident=index) for index in range(200)])
        for _ in range(200):
            assert struct.unpack_from("!H", client.receive(), 2)[0] & 0xF == wire.SERVFAIL
        fake.answer = answers.right
        sotto.load(500, per_second=1_000, prefix="meanwhile").assert_none_failed()


@pytest.mark.parametrize("rcode", [wire.SERVFAIL, wire.REFUSED, wire.NOTIMP, wire.NXDOMAIN])
def test_failures_of_the_only_upstream_are_passed_on(start, fake, rcode):
    """BEHAVIOUR 13: they are answers."""
    fake.answer = answers.failure(rcode)
    assert start(fake).ask("rcode.example.").rcode() == rcode


@pytest.mark.parametrize("rcode", [wire.SERVFAIL, wire.REFUSED])
def test_failures_are_tried_once_elsewhere(start, make_fake, rcode):
    """BEHAVIOUR 13."""
    failing, good = make_fake(), make_fake()
    failing.answer = answers.failure(rcode)
    sotto = start(failing, good)
    sotto.assert_right("elsewhere.example.")
    assert len(failing.asked("elsewhere.example")) == 1


@pytest.mark.parametrize("code", [1, 2, 5, 6, 9, 12, 15, 17, 18, 27])
def test_failures_on_purpose_are_not_tried_elsewhere(start, make_fake, code):
    """BEHAVIOUR 13: a validating or filtering upstream has the last word."""
    filtering, good = make_fake(), make_fake()
    filtering.answer = answers.failure(wire.SERVFAIL, (code, "on purpose"))
    sotto = start(filtering, good)
    response = sotto.ask("purpose.example.")
    assert response.rcode() == dns.rcode.SERVFAIL
    assert extended_errors(response) == [code]
    assert good.queries == []
