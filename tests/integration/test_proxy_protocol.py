"""PROXY headers: who must send one, whose address counts, and what becomes of wrong ones."""

import dataclasses

import dns.exception
import dns.message
import dns.rcode
import pytest

from harness import fake_upstream, proxy_protocol, wire
from harness.admin import Admin
from harness.clients import DatagramClient, StreamClient
from harness.dot_client import DotClient
from harness.processes import Process
from harness.sotto import Sotto, new_port
from harness.waiting import wait_for

# Who may ask. The first proxy may not, so that a header alone makes the difference.
ALLOWED, ALLOWED_V6, ANOTHER = "192.0.2.7", "2001:db8::7", "192.0.2.8"
PROXY, PROXY_THAT_MAY_ASK, NO_PROXY = "127.0.0.1", "127.0.0.2", "127.0.0.3"

ANSWERED, REFUSED, NOTHING = "answered", "refused", "nothing"


@dataclasses.dataclass
class Proxied:
    sotto: Sotto
    fake: fake_upstream.FakeUpstream
    port: int  # where headers are read
    tls_port: int
    admin: Admin


@pytest.fixture(scope="module")
def proxied(start_for_module, leaf):
    plain, port, tls_port, admin = new_port(), new_port(), new_port(), new_port()
    proxies = [PROXY, f"{PROXY_THAT_MAY_ASK}/32"]
    listeners = [{"address": f"127.0.0.1:{plain}"},
                 {"address": f"127.0.0.1:{port}", "proxy_from": proxies}]
    encrypted = [{"address": f"127.0.0.1:{tls_port}", "proxy_from": proxies}]
    with fake_upstream.FakeUpstream(leaf) as fake:
        sotto = start_for_module(
            fake, port=plain,
            listen={"udp": listeners, "tcp": listeners, "tls": encrypted,
                    "admin": f"127.0.0.1:{admin}"},
            server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)},
            policy={"allow": [ALLOWED, ALLOWED_V6, PROXY_THAT_MAY_ASK, NO_PROXY]})
        yield Proxied(sotto, fake, port, tls_port, Admin(admin))


def local(ident: int) -> bytes:
    return wire.query("localhost", ident=ident)


def outcome(response: bytes, ident: int) -> str:
    assert response[:2] == ident.to_bytes(2, "big")
    return {0: ANSWERED, 5: REFUSED}.get(response[3] & 0xF, f"RCODE {response[3] & 0xF}")


BOTH = [
    ("version 2", proxy_protocol.header(ALLOWED), PROXY, ANSWERED),
    ("… of datagrams", proxy_protocol.header(ALLOWED, protocol=proxy_protocol.DGRAM), PROXY,
     ANSWERED),
    ("IPv6", proxy_protocol.header(ALLOWED_V6), PROXY, ANSWERED),
    ("a mapped address", proxy_protocol.header(f"::ffff:{ALLOWED}"), PROXY, ANSWERED),
    ("somebody else", proxy_protocol.header(ANOTHER), PROXY_THAT_MAY_ASK, REFUSED),
    ("the proxy itself", proxy_protocol.binary(b"", command=proxy_protocol.LOCAL), PROXY, REFUSED),
    ("… that may ask",
     proxy_protocol.header(ANOTHER).replace(b"\x21\x11", b"\x20\x11"), PROXY_THAT_MAY_ASK,
     ANSWERED),
    ("of nobody known", proxy_protocol.binary(b""), PROXY_THAT_MAY_ASK, ANSWERED),
    ("of nobody known to who may not", proxy_protocol.binary(b"?"), PROXY, REFUSED),
    ("Unix sockets", proxy_protocol.unix_paths(), PROXY_THAT_MAY_ASK, ANSWERED),
    ("a right sum", proxy_protocol.header_with_sum(ALLOWED), PROXY, ANSWERED),
    ("a wrong sum", proxy_protocol.header_with_sum(ALLOWED, wrong=True), PROXY_THAT_MAY_ASK,
     NOTHING),
    ("a field beyond the end", proxy_protocol.header(ALLOWED, b"\4\0\2x"), PROXY, NOTHING),
    ("version 3", proxy_protocol.header(ALLOWED).replace(b"\x21\x11", b"\x31\x11"), PROXY, NOTHING),
    ("no header", b"", PROXY_THAT_MAY_ASK, NOTHING),
    ("none, of who need not", b"", NO_PROXY, ANSWERED),
]


@pytest.mark.parametrize("why, header, source, expected", BOTH, ids=[row[0] for row in BOTH])
def test_datagrams(proxied, why, header, source, expected):
    """One header before each query; what is refused is followed by one that is answered."""
    before = refused_headers(proxied)
    with DatagramClient("127.0.0.1", proxied.port, source=source) as client:
        client.send(header + local(7))
        if expected == NOTHING:
            client.send(proxy_protocol.header(ALLOWED) + local(8))
            assert outcome(client.receive(), 8) == ANSWERED
        else:
            assert outcome(client.receive(), 7) == expected
    assert refused_headers(proxied) - before == (expected == NOTHING)


def refused_headers(proxied) -> float:
    return proxied.admin.metrics()("sotto_udp_proxy_headers_refused_total")


LINES = [
    ("version 1", proxy_protocol.line(ALLOWED), PROXY, ANSWERED),
    ("version 1, IPv6", proxy_protocol.line(ALLOWED_V6), PROXY, ANSWERED),
    ("version 1, somebody else", proxy_protocol.line(ANOTHER), PROXY_THAT_MAY_ASK, REFUSED),
    ("version 1, unknown", b"PROXY UNKNOWN whoever\r\n", PROXY_THAT_MAY_ASK, ANSWERED),
    ("version 1, malformed", b"PROXY TCP4 192.0.2.07 192.0.2.1 1 53\r\n", PROXY, NOTHING),
]


@pytest.mark.parametrize("why, header, source, expected", BOTH + LINES,
                         ids=[row[0] for row in BOTH + LINES])
def test_connections(proxied, why, header, source, expected):
    """One header before everything; what is refused is closed."""
    with StreamClient("127.0.0.1", proxied.port, source=source) as client:
        client.send_octets(header + wire.framed(local(7)))
        if expected == NOTHING:
            assert client.receive() is None
            return
        assert outcome(client.receive(), 7) == expected
        client.send(local(8), local(9))
        assert sorted(client.receive()[:2] for _ in range(2)) == [b"\0\x08", b"\0\x09"]


@pytest.mark.parametrize("why, header, source, expected", BOTH + LINES,
                         ids=[row[0] for row in BOTH + LINES])
def test_encrypted_connections(proxied, why, header, source, expected):
    """The header comes before TLS, in the clear."""
    before = failed_for_headers(proxied)
    with DotClient("127.0.0.1", proxied.tls_port, source=source) as client:
        client.send_octets(header)
        if expected == NOTHING:
            with pytest.raises(OSError):
                client.handshake()
        else:
            client.handshake()
            client.send(local(7))
            assert outcome(client.receive(), 7) == expected
    wait_for(lambda: failed_for_headers(proxied) - before == (expected == NOTHING), "the count")


def failed_for_headers(proxied) -> float:
    return proxied.admin.metrics()("sotto_tls_connections_closed_total", reason="proxy_header")


def test_lines_are_not_for_datagrams(proxied):
    with DatagramClient("127.0.0.1", proxied.port, source=PROXY_THAT_MAY_ASK) as client:
        client.send(proxy_protocol.line(ALLOWED) + local(7))
        assert outcome(client.ask(proxy_protocol.header(ALLOWED) + local(8)), 8) == ANSWERED


def test_others_may_not_send_headers(proxied):
    """Their headers are DNS that nobody can read; a connection with one is closed."""
    for header in (proxy_protocol.header(ALLOWED), proxy_protocol.line(ALLOWED)):
        with StreamClient("127.0.0.1", proxied.port, source=NO_PROXY) as client:
            client.send_octets(header + wire.framed(local(7)))
            assert client.receive() is None
        with DotClient("127.0.0.1", proxied.tls_port, source=NO_PROXY) as client:
            client.send_octets(header)
            with pytest.raises(OSError):
                client.handshake()
    with DatagramClient("127.0.0.1", proxied.port, source=NO_PROXY) as client:
        response = client.ask(proxy_protocol.header(ALLOWED) + local(7))
        assert (response[:2], response[3] & 0xF) == (proxy_protocol.SIGNATURE[:2], wire.NOTIMP)


@pytest.mark.parametrize("header", [proxy_protocol.header_with_sum(ALLOWED_V6),
                                    proxy_protocol.line(ALLOWED)], ids=["binary", "line"])
def test_a_connection_may_come_octet_by_octet(proxied, header):
    with StreamClient("127.0.0.1", proxied.port, source=PROXY) as client:
        for octet in header + wire.framed(local(7)):
            client.send_octets(bytes([octet]))
        assert outcome(client.receive(), 7) == ANSWERED


def test_a_datagram_has_room_for_header_and_query(proxied):
    """The longest header there may be, before a query that is long by itself."""
    padded = wire.query("localhost", ident=7,
                        opt=wire.opt_record(wire.option(wire.PADDING, bytes(1_900))))
    longest = proxy_protocol.header(ALLOWED, proxy_protocol.field(proxy_protocol.NOOP,
                                                                  bytes(1_024 - 31)))
    assert len(longest) == 1_024
    with DatagramClient("127.0.0.1", proxied.port, source=PROXY) as client:
        assert outcome(client.ask(longest + padded), 7) == ANSWERED


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_had_to_be_asked_goes_back_to_the_proxy(proxied, transport):
    name = f"asked-{transport}.example"
    query = wire.query(name, ident=9)
    if transport == "udp":
        with DatagramClient("127.0.0.1", proxied.port, source=PROXY) as client:
            response = client.ask(proxy_protocol.header(ALLOWED) + query)
    else:
        with StreamClient("127.0.0.1", proxied.port, source=PROXY) as client:
            client.send_octets(proxy_protocol.header(ALLOWED) + wire.framed(query))
            response = client.receive()
    assert outcome(response, 9) == ANSWERED
    assert response.endswith(wire.oracle_address(wire.name_octets(name)))


def test_dnsdist_speaks_for_its_clients(start, fake, tmp_path):
    """A proxy of another make, over UDP and TCP."""
    plain, port, front = new_port(), new_port(), new_port()
    listeners = [{"address": f"127.0.0.1:{plain}"},
                 {"address": f"127.0.0.1:{port}", "proxy_from": ["127.0.0.1"]}]
    sotto = start(fake, port=plain, listen={"udp": listeners, "tcp": listeners},
                  policy={"allow": ["127.0.0.5"]})
    config = tmp_path / "dnsdist.conf"
    config.write_text(f"""
setLocal("127.0.0.1:{front}")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{port}", useProxyProtocol=true}}):setUp()
""")
    dnsdist = Process("dnsdist", ["dnsdist", "--supervised", "--disable-syslog", "-C", str(config)],
                      tmp_path / "dnsdist.log")
    try:
        query = dns.message.make_query("distributed.example.", "A", use_edns=0)

        def ready() -> bool:
            try:
                return bool(sotto.udp(query, port=front, source="127.0.0.5", timeout=1).answer)
            except (OSError, dns.exception.Timeout):
                return False

        wait_for(ready, "dnsdist")
        assert sotto.tcp(query, port=front, source="127.0.0.5").answer
        for ask in (sotto.udp, sotto.tcp):
            assert ask(query, port=front, source="127.0.0.6").rcode() == dns.rcode.REFUSED
    finally:
        dnsdist.stop()
