"""EDNS between client and sotto, and between sotto and upstream: hop by hop (RFC 6891)."""

import ssl
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from harness import answers, wire
from harness.clients import extended_errors, extended_text
from harness.waiting import wait_for


def options_of(response: dns.message.Message) -> list[int]:
    return [option.otype for option in response.options]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_opt_in_opt_out_none_in_none_out(shared, upstream, transport):
    """BEHAVIOUR 17."""
    ask = getattr(shared.sotto, transport)
    assert ask(dns.message.make_query("opt.example.", "A", use_edns=0)).edns == 0
    assert ask(dns.message.make_query("opt.example.", "A", use_edns=False)).edns == -1


def test_upstream_always_gets_an_opt_of_our_own(shared, upstream):
    """BEHAVIOUR 17, 20, 26: EDNS version 0, AD set, padded to a multiple of 128 octets."""
    shared.sotto.udp(dns.message.make_query("own.example.", "A", use_edns=False))
    (seen,) = upstream.asked("own.example")
    assert (seen.edns, seen.edns_version, seen.edns_flags) == (True, 0, 0)
    assert seen.flags & wire.AD
    assert seen.octets % 128 == 0
    assert seen.options[-1][0] == wire.PADDING


@pytest.mark.parametrize("length", [1, 20, 60, 61, 62, 63])
def test_every_query_is_padded_to_128_whatever_its_name(shared, upstream, length):
    """BEHAVIOUR 20; RFC 8467 §4.1."""
    name = "p" * length + ".example"
    shared.sotto.assert_right(name + ".")
    (seen,) = upstream.asked(name)
    assert seen.octets == 128


def test_client_subnet_and_cookies_are_not_sent_upstream(shared, upstream):
    """BEHAVIOUR 21, 18: nor is any option we do not know; none is echoed."""
    options = [dns.edns.ECSOption("192.0.2.0", 24),
               dns.edns.GenericOption(wire.COOKIE, b"12345678"),
               dns.edns.GenericOption(3, b""), dns.edns.GenericOption(65_001, b"private")]
    response = shared.sotto.ask("ecs.example.", options=options)
    assert response.answer and options_of(response) == []
    (seen,) = upstream.asked("ecs.example")
    assert {code for code, _ in seen.options} <= {wire.PADDING, wire.KEEPALIVE}


def test_unknown_flags_are_neither_forwarded_nor_echoed(shared, upstream):
    """BEHAVIOUR 18."""
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query("flag.example", opt=wire.opt_record(flags=0x4001)))
    assert dns.message.from_wire(response).ednsflags & 0xFFFF == 0
    (seen,) = upstream.asked("flag.example")
    assert seen.edns_flags == 0


def test_do_is_forwarded_and_echoed(shared, upstream):
    response = shared.sotto.ask("do.example.", want_dnssec=True)
    assert response.ednsflags & dns.flags.DO
    (seen,) = upstream.asked("do.example")
    assert seen.dnssec_ok


@pytest.mark.parametrize("version", [1, 2, 255])
@pytest.mark.parametrize("transport", ["datagram", "stream"])
def test_higher_versions_get_badvers(shared, upstream, version, transport):
    """BEHAVIOUR 18; RFC 6891 §6.1.3."""
    name = f"badvers-{version}-{transport}.example"
    with getattr(shared.sotto, transport)() as client:
        client.send(wire.query(name, opt=wire.opt_record(version=version)))
        response = dns.message.from_wire(client.receive())
    assert (response.rcode(), response.edns, response.answer) == (dns.rcode.BADVERS, 0, [])
    assert upstream.asked(name) == []


@pytest.mark.parametrize("code, text", [
    (6, "signature expired"), (15, "blocked by policy"), (9, ""), (4_242, "x" * 64)])
def test_the_upstreams_extended_error_is_passed_on(shared, upstream, code, text):
    """BEHAVIOUR 17: code and up to 64 octets of text."""
    upstream.answer = answers.failure(wire.SERVFAIL, (code, text))
    response = shared.sotto.ask(f"ede-{code}.example.")
    assert response.rcode() == dns.rcode.SERVFAIL
    assert (extended_errors(response), extended_text(response)) == ([code], [text])


def test_extended_error_comes_with_good_answers_too(shared, upstream):
    upstream.answer = answers.message(
        lambda asked: answers.right_message(asked, options=wire.extended_error(3, "stale")))
    response = shared.sotto.assert_right("ede-good.example.")
    assert extended_errors(response) == [3]


def test_long_extended_text_is_cut_and_still_utf_8(shared, upstream):
    """BEHAVIOUR 17: at most 64 octets; a character is never cut in two."""
    upstream.answer = answers.failure(wire.REFUSED, (15, "é" * 100))
    response = shared.sotto.ask("ede-long.example.")
    (text,) = extended_text(response)
    assert text and set(text) == {"é"} and len(text.encode()) <= 64


def test_no_extended_error_without_edns(shared, upstream):
    upstream.answer = answers.failure(wire.SERVFAIL, (6, "bogus"))
    response = shared.sotto.ask("ede-none.example.", use_edns=False)
    assert (response.rcode(), response.edns) == (dns.rcode.SERVFAIL, -1)


def test_other_options_of_the_upstream_stay_there(shared, upstream):
    """BEHAVIOUR 17: the upstream's OPT is not forwarded as it came."""
    options = wire.option(3, b"nsid") + wire.option(wire.COOKIE, b"c" * 16) + wire.option(
        wire.PADDING, b"\0" * 50) + wire.option(wire.KEEPALIVE, struct.pack("!H", 100))
    upstream.answer = answers.message(lambda asked: answers.right_message(asked, options=options))
    assert options_of(shared.sotto.assert_right("opaque.example.")) == []


def test_keepalive_is_answered_over_tcp_only_and_only_when_asked(shared, upstream):
    """BEHAVIOUR 20; RFC 7828 §3.2: the option carries our idle time."""
    query = dns.message.make_query("keep.example.", "A", use_edns=0, options=[
        dns.edns.GenericOption(wire.KEEPALIVE, b"")])
    assert options_of(shared.sotto.udp(query)) == []
    (option,) = shared.sotto.tcp(query).options
    assert option.otype == wire.KEEPALIVE
    assert struct.unpack("!H", option.to_wire())[0] > 0
    plain = dns.message.make_query("keep.example.", "A", use_edns=0)
    assert options_of(shared.sotto.tcp(plain)) == []


def test_padding_is_not_answered_in_clear_text(shared, upstream):
    """BEHAVIOUR 20: response padding belongs to encrypted transports."""
    query = dns.message.make_query("padded.example.", "A", use_edns=0, pad=128)
    assert options_of(shared.sotto.udp(query)) == []
    assert options_of(shared.sotto.tcp(query)) == []


@pytest.mark.parametrize("announced", [0, 100, 511, 512])
def test_sizes_below_512_count_as_512(shared, upstream, announced):
    """RFC 6891 §6.2.3."""
    upstream.answer = answers.of_size(500)
    response = shared.sotto.ask(f"size-{announced}.example.", "TXT", payload=announced)
    assert not response.flags & dns.flags.TC and response.answer


@pytest.mark.parametrize("octets, edns, truncated", [
    (511, 4_096, False), (1_200, 4_096, False), (1_300, 4_096, True), (1_300, 1_232, True),
    (900, 800, True), (700, None, True)])
def test_truncation_over_udp_by_the_smaller_limit(shared, upstream, octets, edns, truncated):
    """BEHAVIOUR 19: min(client's size, 1232), 512 without EDNS; OPT stays."""
    upstream.answer = answers.of_size(octets)
    name = f"cut-{octets}-{edns}.example."
    options = {"use_edns": False} if edns is None else {"payload": edns}
    response = shared.sotto.ask(name, "TXT", **options)
    assert bool(response.flags & dns.flags.TC) == truncated
    assert response.edns == (-1 if edns is None else 0)
    whole = shared.sotto.ask(name, "TXT", transport="tcp", **options)
    assert whole.answer and not whole.flags & dns.flags.TC


def test_truncation_never_cuts_inside_an_rrset(shared, upstream):
    """BEHAVIOUR 19: whole RRsets up to the limit; here the CNAME fits, the addresses do not."""

    def large(asked):
        target = b"\x06target\x07example\x00"
        records = [wire.record(wire.CNAME, target)]
        records += [wire.record(wire.A, struct.pack("!I", 0xC0000200 + index), owner=target)
                    for index in range(200)]
        return wire.respond(asked, tuple(records))

    upstream.answer = answers.message(large)
    response = shared.sotto.ask("rrset.example.")
    assert response.flags & dns.flags.TC
    assert [rrset.rdtype for rrset in response.answer] in ([], [wire.CNAME])
    whole = shared.sotto.ask("rrset.example.", transport="tcp")
    assert len(whole.answer[1]) == 200


def test_a_server_that_ignores_edns_is_used_as_it_is(shared, upstream):
    """BEHAVIOUR §2: no EDNS. The client's OPT is answered nevertheless."""
    upstream.answer = answers.without_edns
    assert shared.sotto.assert_right("ignores.example.").edns == 0


def test_a_server_without_edns_is_asked_once_with_it_and_then_without(start, fake):
    """BEHAVIOUR 17. Our own probes, of the root, have it."""
    fake.answer = answers.formerr_to_edns
    sotto = start(fake)
    for index in range(5):
        sotto.assert_right(f"old-{index}.example.")
    assert [query.edns for query in fake.asked("old-0.example")] == [True, False]
    assert [[query.edns for query in fake.asked(f"old-{index}.example")]
            for index in range(1, 5)] == [[False]] * 4


def test_one_formerr_takes_edns_from_nobody(start, fake):
    """A load balancer in front of one old zone: everything else is answered with OPT."""
    fake.answer = answers.formerr_to_edns_for("once.example")
    sotto = start(fake)
    sotto.assert_right("before.example.")
    sotto.assert_right("once.example.")
    assert [query.edns for query in fake.asked("once.example")] == [True, False]
    for index in range(3):
        sotto.assert_right(f"after-{index}.example.", want_dnssec=True)
        (seen,) = fake.asked(f"after-{index}.example")
        assert (seen.edns, seen.dnssec_ok, seen.octets) == (True, True, 128)
    assert "upstream.no_edns" not in sotto.log()


def test_edns_comes_back_by_a_probe_if_an_odd_name_was_the_first(start, fake):
    fake.answer = answers.formerr_to_edns_for("once.example")
    sotto = start(fake)
    sotto.assert_right("once.example.")
    sotto.wait_for_log("upstream.no_edns")
    fake.wait_for_query(".")
    numbers = iter(range(1_000))

    def asked_with_edns() -> bool:
        name = f"after-{next(numbers)}.example"
        sotto.assert_right(name + ".")
        return fake.asked(name)[0].edns

    wait_for(asked_with_edns, "EDNS after the probe")


def test_an_answer_without_opt_is_not_kept_for_long_for_validators(start, fake):
    """It has no signatures, and the server may be found to know EDNS any moment."""
    fake.answer = answers.formerr_to_edns_for("once.example")
    sotto = start(fake)
    assert sotto.assert_right("once.example.", want_dnssec=True).answer[0].ttl == 30
    assert sotto.assert_right("once.example.").answer[0].ttl == 300


def test_a_reload_gives_edns_back(start, fake):
    fake.answer = answers.formerr_to_edns
    sotto = start(fake)
    sotto.assert_right("old.example.")
    fake.answer = answers.right
    sotto.reload()
    sotto.wait_for_log("config.reloaded")
    sotto.assert_right("new.example.")
    assert [query.edns for query in fake.asked("new.example")] == [True]


def test_queries_without_opt_are_as_large_on_the_wire_as_those_with(start, fake):
    """RFC 8467 §4.1 by the padding of TLS 1.3 records, RFC 8446 §5.4."""
    sotto = start(fake)
    sotto.assert_right("first.example.")  # may come with the end of the handshake
    sotto.assert_right("with.example.")
    padded = fake.record_octets[-1]
    fake.answer = answers.formerr_to_edns_for("once.example")
    for name in ("once.example.", "a-longer-name-than-the-other.once.example."):
        fake.record_octets.clear()
        sotto.assert_right(name)
        assert [query.edns for query in fake.asked(name)] == [True, False]
        assert fake.record_octets == [padded, padded]


def test_queries_without_opt_still_work_over_tls_1_2(start, fake, leaf):
    """Decision 0034: there is nothing to pad them with."""
    fake.use(leaf, version=ssl.TLSVersion.TLSv1_2)
    fake.answer = answers.formerr_to_edns
    sotto = start(fake)
    for index in range(3):
        sotto.assert_right(f"old-{index}.example.")
    assert fake.tls_versions == {"TLSv1.2"}
