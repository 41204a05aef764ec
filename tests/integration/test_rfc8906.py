"""RFC 8906 §8: the probes by which a server that fails to communicate is found, over UDP, TCP, DoT
and DoH.

The upstream is authoritative (nsd). sotto answers as itself: without AA, with RA."""

import contextlib
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from harness import wire
from harness.encrypted import DohConnection, DotConnection, tls_context
from harness.sotto import new_port

ZONE = "example."
MBZ = 0x0040  # the header's last reserved bit, "Z" of RFC 1035
OPCODE_15 = 15 << 11
UNKNOWN_OPTION = 100
UNKNOWN_EDNS_FLAG = 0x0040

ENCRYPTED = {"tls": DotConnection, "https": DohConnection}


@pytest.fixture(scope="module")
def listen_ports():
    return {transport: new_port() for transport in ENCRYPTED}


@pytest.fixture(scope="module")
def sotto(nsd, start_for_module, leaf, listen_ports):
    listen = {transport: [f"127.0.0.1:{port}"] for transport, port in listen_ports.items()}
    return start_for_module(nsd, listen=listen, server_tls={
        "certificate": str(leaf.chain), "key": str(leaf.key)})


@pytest.fixture(scope="module")
def ask_encrypted(sotto, authority, listen_ports):
    """ask_encrypted(transport, octets) returns the octets of the response; one connection each."""
    with contextlib.ExitStack() as stack:
        connections = {
            transport: stack.enter_context(
                kind(listen_ports[transport], tls_context(authority.ca_file, kind.ALPN)))
            for transport, kind in ENCRYPTED.items()}
        yield lambda transport, message: connections[transport].ask(message)


@pytest.fixture(params=["udp", "tcp", *ENCRYPTED])
def probe(request, sotto, ask_encrypted):
    """Sends a query over one of the transports."""
    if request.param in ENCRYPTED:
        return lambda query: dns.message.from_wire(ask_encrypted(request.param, query.to_wire()))
    return getattr(sotto, request.param)


def make(rtype="SOA", *, flags=0, edns=None, ednsflags=0, options=(), payload=1_232):
    query = dns.message.make_query(ZONE, rtype, use_edns=False)
    query.flags = flags
    if edns is not None:
        query.use_edns(edns, ednsflags, payload, options=list(options))
    return query


def assert_soa(response, *, edns):
    assert response.rcode() == dns.rcode.NOERROR
    assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.SOA]
    assert response.edns == edns


def assert_badvers(response):
    assert response.rcode() == dns.rcode.BADVERS
    assert response.answer == [] and response.edns == 0


def test_8_1_1_is_the_zone_served(probe):
    assert_soa(probe(make()), edns=-1)


def test_8_1_2_unknown_types(probe):
    response = probe(make("TYPE1000"))
    assert (response.rcode(), response.answer, response.edns) == (dns.rcode.NOERROR, [], -1)


def test_8_1_3_1_cd(probe):
    assert_soa(probe(make(flags=dns.flags.CD)), edns=-1)


def test_8_1_3_2_ad(probe):
    assert_soa(probe(make(flags=dns.flags.AD)), edns=-1)


def test_8_1_3_3_reserved_bit(probe):
    response = probe(make(flags=MBZ))
    assert_soa(response, edns=-1)
    assert not response.flags & MBZ


def test_8_1_3_4_recursive(probe):
    response = probe(make(flags=dns.flags.RD))
    assert_soa(response, edns=-1)
    assert response.flags & dns.flags.RD


@pytest.mark.parametrize("transport", ["datagram", "stream", *ENCRYPTED])
def test_8_1_4_unknown_opcode(sotto, ask_encrypted, transport):
    """Header only, opcode 15: NOTIMP, whatever else the answer holds."""
    query = struct.pack("!HHHHHH", 0x1515, OPCODE_15, 0, 0, 0, 0)
    if transport in ENCRYPTED:
        response = ask_encrypted(transport, query)
    else:
        with getattr(sotto, transport)() as client:
            client.send(query)
            response = client.receive()
    ident, flags = struct.unpack_from("!HH", response)
    assert (ident, flags & ~wire.RA) == (0x1515, wire.QR | OPCODE_15 | wire.NOTIMP)


def test_8_2_1_basic_edns(probe):
    assert_soa(probe(make(edns=0)), edns=0)


def test_8_2_2_version_negotiation(probe):
    assert_badvers(probe(make(edns=1)))


def test_8_2_3_unknown_options(probe):
    response = probe(make(edns=0, options=[dns.edns.GenericOption(UNKNOWN_OPTION, b"")]))
    assert_soa(response, edns=0)
    assert UNKNOWN_OPTION not in [option.otype for option in response.options]


def test_8_2_4_unknown_flags(probe):
    response = probe(make(edns=0, ednsflags=UNKNOWN_EDNS_FLAG))
    assert_soa(response, edns=0)
    assert not response.ednsflags & UNKNOWN_EDNS_FLAG


def test_8_2_5_version_negotiation_with_unknown_flags(probe):
    response = probe(make(edns=1, ednsflags=UNKNOWN_EDNS_FLAG))
    assert_badvers(response)
    assert not response.ednsflags & UNKNOWN_EDNS_FLAG


def test_8_2_6_version_negotiation_with_unknown_options(probe):
    response = probe(make(edns=1, options=[dns.edns.GenericOption(UNKNOWN_OPTION, b"")]))
    assert_badvers(response)
    assert response.options == ()


def test_8_2_7_truncated_responses(sotto):
    """Over UDP: TC and OPT; the same over TCP is whole."""
    query = dns.message.make_query("middle." + ZONE, "TXT", use_edns=0, payload=512,
                                   want_dnssec=True)
    over_udp = sotto.udp(query)
    assert over_udp.flags & dns.flags.TC and over_udp.edns == 0
    over_tcp = sotto.tcp(query)
    assert not over_tcp.flags & dns.flags.TC and over_tcp.edns == 0
    assert len(over_tcp.answer[0]) == 10


def test_8_2_8_do(probe):
    response = probe(make(edns=0, ednsflags=dns.flags.DO))
    assert_soa(response, edns=0)
    assert response.ednsflags & dns.flags.DO


def test_8_2_9_version_negotiation_with_do(probe):
    assert_badvers(probe(make(edns=1, ednsflags=dns.flags.DO)))


def test_8_2_10_several_defined_options(probe):
    """NSID, COOKIE, client subnet and EXPIRE: all answered as one likes, none breaks the answer."""
    options = [dns.edns.GenericOption(3, b""), dns.edns.GenericOption(wire.COOKIE, b"12345678"),
               dns.edns.ECSOption("0.0.0.0", 0), dns.edns.GenericOption(9, b"")]
    assert_soa(probe(make(edns=0, options=options)), edns=0)
