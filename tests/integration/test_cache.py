"""What is kept, for how long, and for whom."""

import dns.flags
import dns.message
import dns.rcode
import pytest

from harness import answers, wire
from harness.clients import extended_errors, extended_text
from harness.numbered import Numbered, number_of
from harness.waiting import wait_for


def ask(sotto, name: str, rtype: str = "A", *, flags: int = 0, transport: str = "udp",
        **options) -> dns.message.Message:
    options.setdefault("use_edns", 0)
    query = dns.message.make_query(name, rtype, **options)
    query.flags |= flags
    return getattr(sotto, transport)(query)


def ttl_of(response: dns.message.Message) -> int:
    (ttl,) = {rrset.ttl for rrset in response.answer + response.authority}
    return ttl


@pytest.fixture
def numbered(fake) -> Numbered:
    fake.answer = Numbered()
    return fake.answer


@pytest.fixture
def sotto(start, fake, numbered, clock):
    return start(fake, env=clock.environment)


# --- hits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["udp", "tcp"])
@pytest.mark.parametrize("second", ["udp", "tcp"])
def test_what_is_known_is_not_asked_again(sotto, fake, first, second):
    for transport in (first, second, second):
        assert number_of(ask(sotto, "known.example.", transport=transport)) == 1
    assert len(fake.asked("known.example")) == 1


@pytest.mark.parametrize("transport", ["datagram", "stream"])
def test_each_client_gets_its_own_id_and_spelling_from_the_cache(sotto, fake, transport):
    """BEHAVIOUR 3."""
    with getattr(sotto, transport)() as client:
        for ident, spelling in enumerate(("a.example", "A.example", "a.EXAMPLE", "A.eXaMpLe")):
            client.send(wire.query(spelling, ident=ident))
            response = client.receive()
            octets = wire.name_octets(spelling)
            assert response[:2] == bytes((0, ident))
            assert response[12 : 12 + len(octets)] == octets
    assert len(fake.asked("a.example")) == 1


def test_types_classes_and_names_do_not_share_answers(sotto, fake):
    with sotto.datagram() as client:
        queries = [wire.query(name, rtype, rclass=rclass) for name in ("a.example", "b.a.example")
                   for rtype in (wire.A, wire.AAAA) for rclass in (wire.IN, wire.CH)]
        for query in queries:
            client.ask(query)
    assert set(fake.sends().values()) == {1} and len(fake.queries) == len(queries)


def test_rd_cd_and_do_have_answers_of_their_own(sotto, fake):
    """BEHAVIOUR 25; in either order."""
    variants = [(flags, do) for flags in (0, wire.RD, wire.CD, wire.RD | wire.CD)
                for do in (0, 0x8000)]
    with sotto.datagram() as client:
        for _ in range(2):
            for flags, do in variants:
                client.ask(wire.query("key.example", flags=flags, opt=wire.opt_record(flags=do)))
    seen = [(query.flags & (wire.RD | wire.CD), query.edns_flags) for query in fake.queries]
    assert seen == variants


def test_ad_is_no_part_of_the_key_and_only_for_those_who_asked(sotto, fake, numbered):
    """BEHAVIOUR 26."""
    numbered.flags = wire.RA | wire.AD
    for flags, expected in ((0, 0), (dns.flags.AD, dns.flags.AD), (0, 0)):
        assert ask(sotto, "ad.example.", flags=flags).flags & dns.flags.AD == expected
    assert len(fake.asked("ad.example")) == 1
    assert ask(sotto, "ad.example.", want_dnssec=True).flags & dns.flags.AD
    assert ask(sotto, "ad.example.", want_dnssec=True).flags & dns.flags.AD


def test_ad_is_never_given_for_what_the_upstream_did_not_vouch_for(sotto):
    for _ in range(2):
        assert not ask(sotto, "no-ad.example.", flags=dns.flags.AD).flags & dns.flags.AD


def test_the_upstreams_extended_error_is_kept_with_its_answer(sotto, fake, numbered):
    """BEHAVIOUR 17."""
    numbered.ede = (4, "forged on purpose")
    for _ in range(2):
        response = ask(sotto, "ede.example.")
        assert (extended_errors(response), extended_text(response)) == ([4], ["forged on purpose"])
    assert ask(sotto, "ede.example.", use_edns=False).edns == -1
    assert len(fake.asked("ede.example")) == 1


@pytest.mark.parametrize("first", ["udp", "tcp"])
def test_what_does_not_fit_a_datagram_is_truncated_from_the_cache(sotto, fake, first):
    """BEHAVIOUR 19."""
    fake.answer = answers.of_size(5_000)
    ask(sotto, "large.example.", "TXT", transport=first)
    cut = ask(sotto, "large.example.", "TXT")
    assert cut.flags & dns.flags.TC and len(cut.to_wire()) <= 1_232
    whole = ask(sotto, "large.example.", "TXT", transport="tcp")
    assert not whole.flags & dns.flags.TC and len(whole.to_wire()) > 4_500
    assert len(fake.asked("large.example")) == 1


def test_workers_share_the_cache(start, fake, numbered):
    sotto = start(fake, workers=2)
    assert number_of(ask(sotto, "shared.example.")) == 1
    for _ in range(40):  # each from a port of its own, which chooses the worker
        assert number_of(ask(sotto, "shared.example.")) == 1
    assert len(fake.asked("shared.example")) == 1


def test_a_cache_of_size_0_keeps_nothing(start, fake, numbered):
    sotto = start(fake, cache={"size": 0})
    assert [number_of(ask(sotto, "none.example.")) for _ in range(3)] == [1, 2, 3]


def test_a_reload_keeps_the_cache_and_applies_its_options(start, fake, numbered):
    """BEHAVIOUR 36."""
    sotto = start(fake)
    assert number_of(ask(sotto, "kept.example.")) == 1
    text = sotto.config_file.read_text()
    sotto.config_file.write_text(text + '[cache]\nttl_max = "20s"\n')
    sotto.reload()
    sotto.wait_for_log("configuration applied")
    assert number_of(ask(sotto, "kept.example.")) == 1
    wait_for(lambda: ttl_of(ask(sotto, f"new-{len(fake.queries)}.example.")) <= 20, "the new cap")


# --- time ------------------------------------------------------------------------------------


def test_ttls_age_and_never_grow(sotto, fake, clock):
    """BEHAVIOUR 28, invariant 8."""
    ask(sotto, "age.example.")
    passed, before = 0, 300
    for step in (0, 0.5, 1, 10, 100, 0, 33, 120):
        clock.advance(step)
        passed += step
        ttl = ttl_of(ask(sotto, "age.example.", transport="tcp"))
        assert ttl <= min(before, 300 - int(passed))
        before = ttl
    assert before > 0


def test_nothing_is_given_past_its_ttl(sotto, fake, clock):
    """Nor after a suspension: timers do not see it, the next query does."""
    assert number_of(ask(sotto, "old.example.")) == 1
    clock.advance(301)
    response = ask(sotto, "old.example.")
    assert (number_of(response), ttl_of(response)) == (2, 300)


def test_the_lowest_ttl_of_all_records_ends_the_whole_answer(sotto, fake, clock):
    """BEHAVIOUR 28; a signature, an authority, an additional record count as any."""
    def make(asked):
        return wire.respond(
            asked, (wire.record(wire.A, b"\xc0\x00\x02\x01", ttl=300),),
            authorities=(wire.record(wire.NS, b"\xc0\x0c", ttl=50),))

    fake.answer = answers.message(make)
    ask(sotto, "lowest.example.")
    clock.advance(40)
    response = ask(sotto, "lowest.example.")
    assert response.answer[0].ttl <= 260 and response.authority[0].ttl <= 10
    assert len(fake.asked("lowest.example")) == 1
    clock.advance(11)
    ask(sotto, "lowest.example.")
    assert len(fake.asked("lowest.example")) == 2


@pytest.mark.parametrize("options, upstreams_ttl, expected", [
    ({}, 100_000, 86_400), ({}, 2**31 - 1, 86_400), ({}, 2**32 - 1, 86_400),
    ({"ttl_max": "1m"}, 300, 60), ({"ttl_min": "1m"}, 5, 60), ({"ttl_min": "1m"}, 0, 60)])
def test_ttls_are_bounded_by_options(start, fake, numbered, options, upstreams_ttl, expected):
    numbered.ttl = upstreams_ttl
    sotto = start(fake, cache=options)
    first, second = ask(sotto, "bound.example."), ask(sotto, "bound.example.")
    assert ttl_of(first) == expected
    assert number_of(second) == 1 and ttl_of(second) <= expected


def test_ttl_0_is_not_kept(sotto, fake, numbered):
    numbered.ttl = 0
    assert [number_of(ask(sotto, "zero.example.")) for _ in range(3)] == [1, 2, 3]


# --- what there is not -----------------------------------------------------------------------


@pytest.mark.parametrize("rcode, no_data", [(wire.NXDOMAIN, False), (wire.NOERROR, True)])
def test_negative_answers_live_as_long_as_their_soa_allows(sotto, fake, numbered, clock, rcode,
                                                           no_data):
    """BEHAVIOUR 27; RFC 2308 §5."""
    numbered.rcode, numbered.no_data, numbered.soa = rcode, no_data, (300, 60)
    response = ask(sotto, "not.example.")
    assert (response.rcode(), ttl_of(response)) == (rcode, 60)
    clock.advance(50)
    response = ask(sotto, "not.example.")
    assert response.rcode() == rcode and 0 < ttl_of(response) <= 10
    assert len(fake.asked("not.example")) == 1
    clock.advance(11)
    ask(sotto, "not.example.")
    assert len(fake.asked("not.example")) == 2


@pytest.mark.parametrize("rcode, no_data", [(wire.NXDOMAIN, False), (wire.NOERROR, True)])
def test_negative_answers_without_soa_are_not_kept(sotto, fake, numbered, rcode, no_data):
    numbered.rcode, numbered.no_data = rcode, no_data
    for _ in range(3):
        assert ask(sotto, "bare.example.").rcode() == rcode
    assert len(fake.asked("bare.example")) == 3


def test_negative_answers_have_a_cap_of_their_own(start, fake, numbered):
    numbered.rcode, numbered.soa = wire.NXDOMAIN, (80_000, 80_000)
    assert ttl_of(ask(start(fake), "capped.example.")) == 3_600
    sotto = start(fake, cache={"negative_ttl_max": "30s"})
    assert ttl_of(ask(sotto, "capped.example.")) == 30
    sotto = start(fake, cache={"negative_ttl_max": "0s"})
    before = len(fake.queries)
    for _ in range(2):
        assert ask(sotto, "capped.example.").rcode() == dns.rcode.NXDOMAIN
    assert len(fake.queries) == before + 2


# --- what must not be kept -------------------------------------------------------------------


def test_truncated_answers_are_not_kept(sotto, fake, numbered):
    """BEHAVIOUR 29."""
    numbered.flags = wire.RA | wire.TC
    for _ in range(2):
        ask(sotto, "cut.example.", transport="tcp")
    before = len(fake.asked("cut.example"))
    numbered.flags = wire.RA
    assert not ask(sotto, "cut.example.", transport="tcp").flags & dns.flags.TC
    assert len(fake.asked("cut.example")) == before + 1 >= 3


@pytest.mark.parametrize("kind", ["name", "type", "class"])
def test_another_questions_data_is_not_kept(sotto, fake, kind):
    """BEHAVIOUR 29: neither for what was asked nor for what was answered."""
    fake.answer = answers.once(lambda asked: answers.wrong(asked, kind))
    sotto.assert_right("mine.example.")
    sotto.assert_right("mine.example.")
    fake.answer = answers.right
    sotto.assert_right("forged.example.")


def test_authority_and_additional_sections_answer_nothing(sotto, fake):
    """BEHAVIOUR 29."""
    other = wire.record(wire.A, b"\xc0\x00\x02\x42", owner=wire.name_octets("other.example"))

    def make(asked):
        return answers.right_message(asked, authorities=(other,))

    fake.answer = answers.message(make)
    sotto.assert_right("carrier.example.")
    fake.answer = answers.right
    sotto.assert_right("other.example.")


@pytest.mark.parametrize("rcode", [wire.REFUSED, wire.FORMERR, wire.NOTIMP])
def test_other_rcodes_are_passed_on_and_kept_as_failures(sotto, fake, numbered, rcode):
    """RFC 9520 §3.2; test_failures.py says for how long."""
    numbered.rcode = rcode
    for _ in range(10):
        assert ask(sotto, "rcode.example.").rcode() == rcode
    assert len(fake.asked("rcode.example")) == 1
    numbered.rcode = wire.NOERROR
    assert ask(sotto, "another.example.").answer
