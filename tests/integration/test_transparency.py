"""What the client sees of its own query, and what upstream sees of it, octet by octet."""

import struct

import dns.message
import dns.rdatatype
import pytest

from harness import answers, wire


@pytest.mark.parametrize("ident", [0, 1, 0x8000, 0xFFFF])
def test_the_clients_id_comes_back(shared, upstream, ident):
    """BEHAVIOUR 3; ID 0 is an ID like any other."""
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query("id.example", ident=ident))
    assert struct.unpack_from("!H", response) == (ident,)


@pytest.mark.parametrize("transport", ["datagram", "stream"])
def test_the_clients_spelling_comes_back(shared, upstream, transport):
    """BEHAVIOUR 3, 25: each client its own spelling, whatever case upstream saw or sent."""
    upstream.answer = answers.other_spelling
    for spelling in ("www.MiXeD.example", "WWW.mixed.EXAMPLE", "www.mixed.example"):
        with getattr(shared.sotto, transport)() as client:
            client.send(wire.query(spelling))
            response = client.receive()
        octets = wire.name_octets(spelling)
        assert response[12 : 12 + len(octets)] == octets
        assert response.endswith(wire.oracle_address(octets))


def test_the_question_section_is_echoed_whole(shared, upstream):
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query("echo.example", wire.TXT, rclass=wire.CH))
    question = wire.name_octets("echo.example") + struct.pack("!HH", wire.TXT, wire.CH)
    assert response[12 : 12 + len(question)] == question
    assert upstream.wait_for_query("echo.example").question.lower() == question


@pytest.mark.parametrize("flags", [0, wire.RD, wire.CD, wire.RD | wire.CD])
def test_rd_and_cd_pass_and_are_answered_as_sent(shared, upstream, flags):
    """BEHAVIOUR 25: RD is passed on, RA set, AA cleared."""
    name = f"flags-{flags:x}.example"
    upstream.answer = answers.message(
        lambda asked: answers.right_message(asked, flags=wire.RA | wire.AA))
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query(name, flags=flags))
    (seen,) = upstream.asked(name)
    assert seen.flags & (wire.RD | wire.CD) == flags
    assert struct.unpack_from("!H", response, 2)[0] == wire.QR | wire.RA | flags


def test_rd_cd_and_do_make_different_questions(shared, upstream):
    """BEHAVIOUR 25: they are part of the key of coalescing."""
    opt_do = wire.opt_record(flags=0x8000)
    variants = [wire.query("key.example", flags=flags, ident=index, opt=opt)
                for index, (flags, opt) in enumerate([
                    (wire.RD, None), (0, None), (wire.RD | wire.CD, None), (wire.RD, opt_do)])]
    with upstream.held(), shared.sotto.datagram() as client:
        client.send(*variants)
        upstream.wait_for_query("key.example", len(variants))
    assert len(upstream.asked("key.example")) == len(variants)


@pytest.mark.parametrize("client_flags, edns_do, upstream_ad, expected", [
    (wire.AD, False, True, True), (0, True, True, True), (0, False, True, False),
    (wire.AD, False, False, False), (0, True, False, False)])
def test_ad_only_for_those_who_asked(shared, upstream, client_flags, edns_do, upstream_ad,
                                     expected):
    """BEHAVIOUR 26: AD=1 always goes upstream, and comes back only if the client sent AD or DO."""
    name = f"ad-{client_flags:x}-{edns_do}-{upstream_ad}.example".lower()
    upstream.answer = answers.message(
        lambda asked: answers.right_message(asked, flags=wire.RA | (wire.AD if upstream_ad else 0)))
    opt = wire.opt_record(flags=0x8000) if edns_do else None
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query(name, flags=wire.RD | client_flags, opt=opt))
    assert bool(struct.unpack_from("!H", response, 2)[0] & wire.AD) == expected
    (seen,) = upstream.asked(name)
    assert seen.flags & wire.AD


def test_trailing_octets_never_reach_the_upstream(shared, upstream):
    """BEHAVIOUR 24: the query is answered; upstream sees a strictly well-formed one."""
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query("trailing.example") + b"trailing octets")
    assert response.endswith(wire.oracle_address(wire.name_octets("trailing.example")))
    assert len(upstream.asked("trailing.example")) == 1
    assert upstream.malformed == []


def test_records_keep_their_order_and_unknown_rdata_its_octets(shared, upstream):
    """BEHAVIOUR 22; RFC 3597 §4: what looks like a compression pointer in unknown RDATA stays."""
    rdatas = [b"\xc0\x0c\x00", b"\xff\xff", b"\xc0\x0c\x01", b""]
    upstream.answer = answers.message(lambda asked: wire.respond(
        asked, tuple(wire.record(65_400, rdata) for rdata in rdatas)))
    response = shared.sotto.ask("order.example.", "TYPE65400")
    assert [rdata.data for rdata in response.answer[0]] == rdatas


def test_compressed_names_inside_known_rdata_are_resolved(shared, upstream):
    """DESIGN §3.7: names in the RDATA of RFC 1035's types are decompressed and compressed anew."""
    pointer_to_qname = b"\xc0\x0c"
    upstream.answer = answers.message(lambda asked: wire.respond(asked, (
        wire.record(15, struct.pack("!H", 10) + b"\x02mx" + pointer_to_qname),)))
    response = shared.sotto.ask("compressed.example.", "MX")
    assert str(response.answer[0][0].exchange) == "mx.compressed.example."


def test_dnssec_records_are_stripped_without_do(shared, upstream):
    """BEHAVIOUR 26; RFC 4035 §3.2.1: DO=0 strips RRSIG and NSEC that were not asked for."""
    signature = struct.pack("!HBBIIIH", 1, 13, 2, 300, 2_000_000_000, 1_000_000_000, 1) + (
        b"\x07example\x00" + b"s" * 64)
    nsec = b"\x04next\x07example\x00" + b"\x00\x01\x40"

    def signed(asked):
        records = (wire.record(wire.A, wire.oracle_address(asked.qname)),
                   wire.record(wire.RRSIG, signature), wire.record(wire.NSEC, nsec))
        return wire.respond(asked, records)

    upstream.answer = answers.message(signed)
    plain = shared.sotto.ask("signed.example.")
    assert [rrset.rdtype for rrset in plain.answer] == [dns.rdatatype.A]
    with_do = shared.sotto.ask("signed.example.", want_dnssec=True)
    assert [rrset.rdtype for rrset in with_do.answer] == [
        dns.rdatatype.A, dns.rdatatype.RRSIG, dns.rdatatype.NSEC]
    explicit = shared.sotto.ask("signed-2.example.", "RRSIG")
    assert dns.rdatatype.RRSIG in [rrset.rdtype for rrset in explicit.answer]


def test_ttls_inside_an_rrset_become_equal(shared, upstream):
    """BEHAVIOUR 28; RFC 2181 §5.2: the lowest holds for all; none grows."""
    upstream.answer = answers.message(lambda asked: wire.respond(asked, tuple(
        wire.record(wire.A, bytes([192, 0, 2, part]), ttl=ttl)
        for part, ttl in ((1, 300), (2, 60), (3, 600)))))
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query("ttl.example"))
    rrsets = dns.message.from_wire(response, one_rr_per_rrset=True).answer
    assert [rrset.ttl for rrset in rrsets] == [60, 60, 60]
