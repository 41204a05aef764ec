"""Clients of plain DNS are told of the encrypted listeners (RFC 9462, RFC 9461), truly."""

import dns.rcode
import dns.rdatatype


def test_nothing_is_announced_without_an_encrypted_listener(start, fake):
    sotto = start(fake, discovery={"name": "dns.example"})
    response = sotto.ask("_dns.resolver.arpa.", "SVCB")
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])
    assert [(str(rrset.name), rrset.rdtype) for rrset in response.authority] == [
        ("resolver.arpa.", dns.rdatatype.SOA)]
    sotto.assert_right("dns.example.")
