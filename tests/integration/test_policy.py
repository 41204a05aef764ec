"""Who may ask, and which names never leave (RFC 6761, RFC 6303, RFC 9462)."""

import dns.flags
import dns.message
import dns.rcode
import pytest

from harness import wire
from harness.clients import extended_errors


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_clients_outside_the_allow_list_are_refused_with_ede_18(start, fake, transport):
    sotto = start(fake, policy={"allow": ["127.0.0.2", "10.0.0.0/8"]})
    query = dns.message.make_query("allowed.example.", "A", use_edns=0)
    ask = getattr(sotto, transport)
    refused = ask(query, source="127.0.0.1")
    assert (refused.rcode(), refused.answer) == (dns.rcode.REFUSED, [])
    assert extended_errors(refused) == [18]
    assert fake.queries == []
    allowed = ask(query, source="127.0.0.2")
    assert allowed.answer and extended_errors(allowed) == []


def test_refused_clients_learn_nothing_from_local_names_either(start, fake):
    sotto = start(fake, policy={"allow": ["192.0.2.0/24"]})
    response = sotto.ask("localhost.")
    assert (response.rcode(), response.answer) == (dns.rcode.REFUSED, [])


def test_loopback_is_allowed_by_default(shared, upstream):
    query = dns.message.make_query("default.example.", "A")
    assert shared.sotto.udp(query, source="127.3.4.5").answer


@pytest.mark.parametrize("name, rtype, expected", [
    ("localhost.", "A", ["127.0.0.1"]), ("localhost.", "AAAA", ["::1"]),
    ("LocalHost.", "A", ["127.0.0.1"]), ("deep.below.localhost.", "A", ["127.0.0.1"])])
def test_localhost_is_loopback(shared, upstream, name, rtype, expected):
    """BEHAVIOUR 33; RFC 6761 §6.3."""
    response = shared.sotto.ask(name, rtype)
    assert [rdata.address for rdata in response.answer[0]] == expected
    assert str(response.question[0].name) == name
    assert_not_forwarded(upstream, name)


@pytest.mark.parametrize("name", [
    "invalid.", "www.invalid.", "onion.", "facebookcorewwwi.onion.", "test.", "host.test."])
def test_names_that_cannot_exist_do_not_leave(shared, upstream, name):
    """BEHAVIOUR 33; RFC 6761 §6.2, §6.4, RFC 7686."""
    response = shared.sotto.ask(name)
    assert (response.rcode(), response.answer) == (dns.rcode.NXDOMAIN, [])
    assert_not_forwarded(upstream, name)


@pytest.mark.parametrize("name", [
    "1.0.0.10.in-addr.arpa.", "1.1.168.192.in-addr.arpa.", "1.0.16.172.in-addr.arpa.",
    "1.0.31.172.in-addr.arpa.", "1.1.254.169.in-addr.arpa.", "1.2.0.192.in-addr.arpa.",
    "1.0.0.0.d.f.ip6.arpa.", "8.e.f.ip6.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."])
def test_reverse_zones_of_private_addresses_do_not_leave(shared, upstream, name):
    """BEHAVIOUR 33; RFC 6303. NXDOMAIN, or NODATA at the zone's own name."""
    response = shared.sotto.ask(name, "PTR")
    assert response.rcode() in (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
    assert response.answer == []
    assert_not_forwarded(upstream, name)


@pytest.mark.parametrize("name", ["1.1.1.1.in-addr.arpa.", "1.0.32.172.in-addr.arpa.",
                                  "1.0.0.0.1.0.0.2.ip6.arpa.", "localhost.example.",
                                  "notlocalhost.", "invalid.example.", "contest."])
def test_names_that_only_look_special_are_forwarded(shared, upstream, name):
    shared.sotto.ask(name, "PTR")
    upstream.wait_for_query(name)


@pytest.mark.parametrize("name, rtype", [
    ("resolver.arpa.", "A"), ("_dns.resolver.arpa.", "TYPE64"), ("a.resolver.arpa.", "AAAA")])
def test_resolver_arpa_has_no_data(shared, upstream, name, rtype):
    """BEHAVIOUR 33: so that clients are not lured past us (RFC 9462)."""
    response = shared.sotto.ask(name, rtype)
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])
    assert_not_forwarded(upstream, name)


def test_special_names_can_be_asked_upstream_if_configured(start, fake):
    sotto = start(fake, policy={"test_name": False})
    sotto.assert_right("host.test.")
    assert sotto.ask("www.invalid.").rcode() == dns.rcode.NXDOMAIN


def test_special_use_names_can_be_switched_off(start, fake):
    sotto = start(fake, policy={"special_use_names": False, "test_name": False})
    sotto.ask("1.0.0.10.in-addr.arpa.", "PTR")
    fake.wait_for_query("1.0.0.10.in-addr.arpa")


def test_local_answers_follow_the_rules_of_all_answers(shared, upstream):
    """BEHAVIOUR 3, 17, 25: ID, spelling, OPT, RA and no AA."""
    with shared.sotto.datagram() as client:
        response = client.ask(wire.query("LOCALhost", ident=0x77, opt=wire.opt_record()))
    message = dns.message.from_wire(response)
    assert (message.id, message.edns) == (0x77, 0)
    assert response[13:22] == b"LOCALhost"
    assert message.flags & dns.flags.RA and not message.flags & dns.flags.AA


def assert_not_forwarded(upstream, name: str) -> None:
    assert upstream.asked(name) == []
