"""Clients of plain DNS are told of the encrypted listeners (RFC 9462, RFC 9461), truly."""

import signal
import socket
import ssl

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from dns.rdtypes.svcbbase import ParamKey

from harness import inherited, netns
from harness.sotto import new_port
from harness.waiting import wait_for

DOHPATH = 7  # RFC 9461 §5
DISCOVERY = "_dns.resolver.arpa."


@pytest.fixture
def serve(start, fake, authority):
    """serve(names=…, addresses=…, listen=…, …) starts a sotto with a certificate of its own."""
    def served(*, names=("dns.example",), addresses=("127.0.0.1",), **changes):
        leaf = authority.leaf(names=names, addresses=addresses)
        return start(fake, server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)},
                     **changes)
    return served


def services(sotto, name: str = DISCOVERY) -> dict[str, tuple]:
    """By ALPN: priority, target, port, hints and path of each SVCB record."""
    found = {}
    for rrset in sotto.ask(name, "SVCB").answer:
        for record in rrset:
            parameters = record.params
            (protocol,) = (octets.decode() for octets in parameters[ParamKey.ALPN].ids)
            hints = [address for key in (ParamKey.IPV4HINT, ParamKey.IPV6HINT)
                     if key in parameters for address in parameters[key].addresses]
            port = parameters[ParamKey.PORT].port if ParamKey.PORT in parameters else None
            path = parameters[DOHPATH].value.decode() if DOHPATH in parameters else None
            found[protocol] = (record.priority, str(record.target), port, hints, path)
    return found


def addresses(sotto, name: str, rtype: str = "A") -> list[str]:
    return [record.address for rrset in sotto.ask(name, rtype).answer for record in rrset]


def assert_no_data(response: dns.message.Message, zone: str) -> None:
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])
    assert [(str(rrset.name), rrset.rdtype) for rrset in response.authority] == [
        (zone, dns.rdatatype.SOA)]


def test_nothing_is_announced_without_an_encrypted_listener(start, fake):
    sotto = start(fake, discovery={"name": "dns.example"})
    assert_no_data(sotto.ask(DISCOVERY, "SVCB"), "resolver.arpa.")
    sotto.assert_right("dns.example.")


def test_both_transports_are_announced_and_can_be_used(serve, fake, authority):
    tls, https = new_port(), new_port()
    sotto = serve(listen={"tls": [f"127.0.0.1:{tls}"],
                          "https": [{"address": f"127.0.0.1:{https}", "path": "/q"}]})
    for name in (DISCOVERY, "_DNS.Resolver.arpa.", "_dns.dns.example."):
        assert services(sotto, name) == {
            "dot": (1, "dns.example.", tls, ["127.0.0.1"], None),
            "h2": (2, "dns.example.", https, ["127.0.0.1"], "/q{?dns}"),
        }
    assert addresses(sotto, "DNS.example.") == ["127.0.0.1"]
    assert_no_data(sotto.ask("dns.example.", "AAAA"), "dns.example.")
    assert_no_data(sotto.ask("_dns.dns.example.", "HTTPS"), "dns.example.")
    assert_no_data(sotto.ask(DISCOVERY, "HTTPS"), "resolver.arpa.")
    assert fake.queries == []
    assert "discovery.unproven" not in sotto.log()
    # What a client does with it: name and address are those of the certificate.
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    query = dns.message.make_query("found.example.", "A")
    for name in ("dns.example", "127.0.0.1"):
        assert dns.query.tls(query, "127.0.0.1", port=tls, timeout=10, ssl_context=context,
                             server_hostname=name).answer
    sotto.assert_right("below.dns.example.")  # nobody's here


def test_what_only_some_clients_can_use_is_not_announced(serve, authority):
    tls = new_port()
    listener = {"address": f"127.0.0.1:{tls}", "client_ca": str(authority.ca_file)}
    sotto = serve(listen={"tls": [listener], "https": [f"127.0.0.1:{new_port()}"]})
    assert list(services(sotto)) == ["h2"]


def test_a_reload_changes_what_is_announced(start, fake, authority):
    leaf = authority.leaf(names=("*.example", "dns.example"), addresses=("127.0.0.1",))
    tls = new_port()
    port = new_port()
    changes = {"listen": {"udp": [f"127.0.0.1:{port}"], "tls": [f"127.0.0.1:{tls}"], "admin": ""},
               "server_tls": {"certificate": str(leaf.chain), "key": str(leaf.key)}}
    sotto = start(fake, port=port, **changes)
    assert services(sotto)["dot"][1:4] == ("dns.example.", tls, ["127.0.0.1"])
    sotto.configure(start.configuration(fake, port=port, **changes, discovery={
        "name": "Other.example", "addresses": ["198.51.100.7", "2001:db8::7"]}))
    sotto.signal(signal.SIGHUP)
    wait_for(lambda: services(sotto)["dot"][1] == "other.example.", "the new name")
    assert services(sotto)["dot"][3] == ["198.51.100.7", "2001:db8::7"]
    assert addresses(sotto, "other.example.", "AAAA") == ["2001:db8::7"]
    assert "discovery.unproven: the certificate lacks addresses" in sotto.log()
    sotto.assert_right("dns.example.")  # is nobody's any more
    sotto.configure(start.configuration(fake, port=port, **changes, discovery={"name": ""}))
    sotto.signal(signal.SIGHUP)
    wait_for(lambda: not services(sotto), "nothing is announced")


def test_a_new_certificate_changes_the_name(start, fake, authority):
    first = authority.leaf(names=("first.example",), addresses=("127.0.0.1",))
    second = authority.leaf(names=("second.example",), addresses=("127.0.0.1",))
    sotto = start(fake, listen={"tls": [f"127.0.0.1:{new_port()}"]},
                  server_tls={"certificate": str(first.chain), "key": str(first.key)})
    assert services(sotto)["dot"][1] == "first.example."
    first.key.write_bytes(second.key.read_bytes())
    first.chain.write_bytes(second.chain.read_bytes())
    sotto.signal(signal.SIGHUP)
    wait_for(lambda: services(sotto)["dot"][1] == "second.example.", "the new name")


def test_without_a_name_nothing_is_announced_and_the_log_says_what_to_do(serve):
    sotto = serve(names=("*.example", "localhost"), listen={"tls": [f"127.0.0.1:{new_port()}"]})
    assert_no_data(sotto.ask(DISCOVERY, "SVCB"), "resolver.arpa.")
    line = sotto.wait_for_log("discovery.off")
    assert "set discovery.name" in line


def test_a_name_that_no_certificate_has_is_told(serve):
    sotto = serve(listen={"tls": [f"127.0.0.1:{new_port()}"]}, discovery={"name": "other.example"})
    assert "no certificate has the name" in sotto.wait_for_log("discovery.unproven")


@pytest.mark.skipif(bool(netns.missing()), reason=netns.missing())
def test_of_wildcards_the_addresses_of_the_host_are_announced(start, make_fake, authority):
    """Also when they change; link-local and loopback ones are left out."""
    leaf = authority.leaf(names=("dns.example",), addresses=(netns.Link.HERE,))
    with netns.Link() as link, link.here.inside():
        fake = make_fake()
        tls = new_port()
        sotto = start(fake, listen={"tls": [f"0.0.0.0:{tls}", f"[::]:{tls}"]},
                      server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
        assert services(sotto)["dot"][3] == [link.HERE, link.HERE6]
        link.here.run("ip", "address", "add", "198.51.100.1/24", "dev", "up0")
        wait_for(lambda: addresses(sotto, "dns.example.") == [link.HERE, "198.51.100.1"], "it")
        link.here.run("ip", "address", "del", f"{link.HERE}/24", "dev", "up0")
        wait_for(lambda: services(sotto)["dot"][3] == ["198.51.100.1", link.HERE6], "it to go")


@pytest.mark.skipif(bool(netns.missing()), reason=netns.missing())
def test_a_socket_for_both_families_is_announced_for_both(start, make_fake, leaf):
    """As systemd makes of ListenStream=853."""
    with netns.Link() as link, link.here.inside():
        fake = make_fake()
        tls = new_port()
        with inherited.opened(socket.SOCK_STREAM, "::", tls, both_families=True) as opened:
            sotto = start(fake, sockets=[("tls", opened)],
                          server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
        assert services(sotto)["dot"][2:4] == (tls, [link.HERE, link.HERE6])
