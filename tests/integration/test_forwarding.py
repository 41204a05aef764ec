"""sotto in front of real servers, unbound and nsd: their answers reach the client unchanged."""

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from harness import real_servers
from harness.sotto import new_port


class Real:
    """A real server and a sotto in front of it, on IPv4 and IPv6."""

    def __init__(self, server, sotto):
        self.server = server
        self.sotto = sotto


@pytest.fixture(scope="module", params=["unbound", "nsd"])
def real(request, start_for_module):
    server = request.getfixturevalue(request.param)
    port = new_port()
    addresses = [f"127.0.0.1:{port}", f"[::1]:{port}"]
    sotto = start_for_module(server, port=port, listen={"udp": addresses, "tcp": addresses})
    return Real(server, sotto)


TYPES = [
    ("www.example.", "A"), ("www.example.", "AAAA"), ("multi.example.", "A"),
    ("alias.example.", "A"), ("mail.example.", "MX"), ("text.example.", "TXT"),
    ("_sip._tcp.example.", "SRV"), ("caa.example.", "CAA"), ("naptr.example.", "NAPTR"),
    ("unknown.example.", "TYPE65280"), ("example.", "SOA"), ("example.", "NS"),
]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_answers_over_udp_and_tcp_on_both_families(real, transport, address):
    query = dns.message.make_query("www.example.", "A", use_edns=0)
    response = getattr(real.sotto, transport)(query, where=address)
    assert [rdata.address for rdata in response.answer[0]] == ["192.0.2.80"]
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.RA and not response.flags & dns.flags.AA  # item 25


@pytest.mark.parametrize("name, rtype", TYPES, ids=[f"{n}{t}" for n, t in TYPES])
def test_every_type_passes_as_the_upstream_sent_it(real, name, rtype):
    """BEHAVIOUR 22: all types, RDATA octet for octet, unknown ones too (RFC 3597)."""
    direct = real.server.ask(dns.message.make_query(name, rtype, use_edns=0))
    through = real.sotto.udp(dns.message.make_query(name, rtype, use_edns=0))
    assert direct.answer
    assert through.answer == direct.answer
    assert [(rr.name, rr.rdtype) for rr in through.answer] == [
        (rr.name, rr.rdtype) for rr in direct.answer]
    assert sorted(map(str, through.authority)) == sorted(map(str, direct.authority))


def test_cname_stays_before_its_target(real):
    """BEHAVIOUR 22: record order is kept."""
    response = real.sotto.ask("alias.example.")
    assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.CNAME, dns.rdatatype.A]


@pytest.mark.parametrize("name, rtype, rcode", [
    ("nowhere.example.", "A", dns.rcode.NXDOMAIN), ("www.example.", "MX", dns.rcode.NOERROR)])
def test_negative_answers_keep_their_soa(real, name, rtype, rcode):
    response = real.sotto.ask(name, rtype)
    assert (response.rcode(), response.answer) == (rcode, [])
    assert [rrset.rdtype for rrset in response.authority] == [dns.rdatatype.SOA]


def test_names_of_255_octets_pass(real):
    assert len(dns.name.from_text(real_servers.LONGEST).to_wire()) == 255
    response = real.sotto.ask(real_servers.LONGEST)
    assert response.answer[0][0].address == "192.0.2.13"


@pytest.mark.parametrize("name, address", [
    (r"with\.dot.example.", "192.0.2.10"),
    (r"nul\000byte.example.", "192.0.2.11"),
    (r"a\032space.example.", "192.0.2.12")])
def test_labels_with_dots_nuls_and_spaces_survive(real, name, address):
    """BEHAVIOUR 24."""
    response = real.sotto.ask(name)
    assert response.answer[0].name == dns.name.from_text(name)
    assert response.answer[0][0].address == address


def test_class_ch_passes(real):
    """BEHAVIOUR 22: all classes."""
    query = dns.message.make_query("id.server.", "TXT", rdclass="CH")
    direct = real.server.ask(query)
    through = real.sotto.udp(query)
    assert direct.answer and through.answer == direct.answer
    assert through.answer[0][0].strings == (f"{real.server.name} for sotto".encode(),)


def test_nearly_64_kb_arrive_over_tcp(real):
    response = real.sotto.tcp(dns.message.make_query("large.example.", "TXT"))
    assert len(response.answer[0]) == real_servers.LARGE_STRINGS
    assert not response.flags & dns.flags.TC


@pytest.mark.parametrize("edns_octets, name", [
    (None, "middle.example."), (512, "middle.example."), (1_232, "middle.example."),
    (65_535, "large.example.")])
def test_too_large_for_udp_is_truncated_then_whole_over_tcp(real, edns_octets, name):
    """BEHAVIOUR 19: TC=1 within min(client's size, 1232), OPT kept, then TCP has it all."""
    options = {} if edns_octets is None else {"use_edns": 0, "payload": edns_octets}
    query = dns.message.make_query(name, "TXT", **options)
    response = real.sotto.udp(query)
    assert response.flags & dns.flags.TC
    assert len(response.to_wire()) <= min(edns_octets or 512, 1_232)
    assert response.edns == (-1 if edns_octets is None else 0)
    assert response.answer in ([], None) or len(response.answer[0]) in (
        10, real_servers.LARGE_STRINGS)
    whole = real.sotto.tcp(query)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == (10 if name == "middle.example." else real_servers.LARGE_STRINGS)


def test_refused_passes_when_the_only_upstream_refuses(real):
    """BEHAVIOUR 13: REFUSED is an answer."""
    name = {"unbound": "refused.example.", "nsd": "www.outside."}[real.server.name]
    response = real.sotto.ask(name)
    assert response.rcode() == dns.rcode.REFUSED
