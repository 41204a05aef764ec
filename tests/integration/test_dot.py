"""DNS over TLS towards clients: pipelining, order, ends, limits and abuse (RFC 7858, RFC 8310)."""

import contextlib
import signal
import ssl
import struct

import dns.edns
import dns.message
import pytest

from harness import answers, wire
from harness.clients import StreamClient
from harness.dot_client import DotClient, context
from harness.sotto import new_port, sanitized
from harness.waiting import wait_for
from test_tcp import ident, resident_kib

NOTIMP = wire.query("localhost", flags=15 << 11)  # answered at once, whatever the upstream does


def start_dot(starter, upstream, certificate, **changes):
    """A sotto that listens for DoT as well, and a function that makes its clients."""
    port = new_port()
    listen = {"tls": [f"127.0.0.1:{port}"], **changes.pop("listen", {})}
    sotto = starter(upstream, listen=listen, server_tls={
        "certificate": str(certificate.chain), "key": str(certificate.key)}, **changes)
    sotto.dot_port = port
    sotto.dot = lambda **options: DotClient("127.0.0.1", port, **options)
    return sotto


@pytest.fixture(scope="module")
def dot(start_for_module, shared, leaf):
    """A DoT listener in front of the shared fake upstream."""
    return start_dot(start_for_module, shared.fake, leaf)


def resumed_or_new(tls: ssl.SSLContext, dot, session=None) -> DotClient:
    return dot.dot(tls=tls, session=session).handshake()


# --- queries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_strict_client_is_answered(dot, upstream, authority, version):
    """RFC 8310: chain and name are those of the configured certificate; ALPN is dot."""
    tls = context(authority.ca_file)
    tls.minimum_version = tls.maximum_version = version
    with dot.dot(tls=tls).handshake() as client:
        assert client.tls.selected_alpn_protocol() == "dot"
        client.send(wire.query("strict.example"))
        assert client.receive().endswith(wire.oracle_address(wire.name_octets("strict.example")))


def test_a_client_without_alpn_is_answered(dot, upstream):
    with dot.dot(tls=context(alpn=[])).handshake() as client:
        client.send(NOTIMP)
        assert client.receive() is not None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(dot):
    tls = context()
    tls.minimum_version = ssl.TLSVersion.TLSv1
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with dot.dot(tls=tls) as client, pytest.raises(ssl.SSLError):
        client.handshake()


def test_queries_are_pipelined_and_answered_out_of_order(dot, upstream):
    """BEHAVIOUR 5: 100 are in flight upstream at once; a slow one does not hold the others."""
    upstream.answer = answers.slow_names("slow", 0.2)
    with dot.dot().handshake() as client:
        client.send(wire.query("slow.example", ident=1_000),
                    *[wire.query(f"dot-{index}.example", ident=index) for index in range(100)])
        received = client.receive_many(101)
    assert sorted(map(ident, received)) == [*range(100), 1_000]
    assert ident(received[-1]) == 1_000


def test_everything_may_come_octet_by_octet(dot, upstream):
    """BEHAVIOUR 14, handshake included."""
    with dot.dot().handshake(pieces=1) as client:
        for octet in client.encrypted(wire.query("pieces.example", ident=7)):
            client.send_octets(bytes([octet]))
        assert ident(client.receive()) == 7


def test_ten_thousand_queries_on_one_connection(dot, upstream):
    with dot.dot().handshake() as client:
        for first in range(0, 10_000, 500):
            names = [f"many-{index % 50}.example" for index in range(first, first + 500)]
            client.send(*[wire.query(name, ident=first + at) for at, name in enumerate(names)])
            received = {ident(message): message for message in client.receive_many(500)}
            for at, name in enumerate(names):
                assert received[first + at].endswith(wire.oracle_address(wire.name_octets(name)))


@pytest.mark.parametrize("goodbye", [True, False])
def test_half_closed_clients_get_what_they_asked(dot, upstream, goodbye):
    """BEHAVIOUR 16: after close_notify or FIN everything is answered, then sotto says goodbye."""
    upstream.answer = answers.late(0.1)
    with dot.dot().handshake() as client:
        client.send(*[wire.query(f"half-{goodbye}-{index}.example", ident=index)
                      for index in range(20)])
        if goodbye:
            client.say_goodbye()
        else:
            client.half_close()
        received = client.receive_many(20)
        assert client.receive() is None
    assert sorted(map(ident, received)) == list(range(20))


def test_a_session_is_resumed(dot, upstream):
    tls = context()
    with resumed_or_new(tls, dot) as first:
        first.send(NOTIMP)
        first.receive()  # the tickets have come before it
        session = first.tls.session
        assert not first.tls.session_reused
    with resumed_or_new(tls, dot, session) as second:
        assert second.tls.session_reused
        second.send(NOTIMP)
        assert second.receive() is not None


# --- EDNS on encrypted transports ---------------------------------------------------------------


def ask_with(client, *options: dns.edns.Option) -> bytes:
    query = dns.message.make_query("options.example.", "A", use_edns=0, options=options)
    client.send(query.to_wire())
    return client.receive()


def test_responses_are_padded_if_the_query_was(dot, upstream):
    """BEHAVIOUR 20; RFC 8467 §4.1: blocks of 468 octets, and none over TCP or if not asked for."""
    padding = dns.edns.GenericOption(wire.PADDING, bytes(20))
    with dot.dot().handshake() as client, dot.stream() as tcp:
        assert len(ask_with(client, padding)) == 468
        assert len(ask_with(client)) < 100
        assert len(ask_with(tcp, padding)) < 100


def keepalive_of(message: bytes) -> int | None:
    for option in dns.message.from_wire(message).options:
        if int(option.otype) == wire.KEEPALIVE:
            return struct.unpack("!H", option.to_wire())[0]
    return None


def test_the_idle_timeout_is_announced_and_shrinks_under_load(start, fake, leaf):
    """RFC 7828 §3.4: to those who asked; 10 s while half of the room is free, then less."""
    keepalive = dns.edns.GenericOption(wire.KEEPALIVE, b"")
    sotto = start_dot(start, fake, leaf, tcp={"connections_max": 10})
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(sotto.dot().handshake())
        assert keepalive_of(ask_with(client, keepalive)) == 100
        assert keepalive_of(ask_with(client)) is None
        for _ in range(7):
            assert ask_with(stack.enter_context(sotto.stream())) is not None
        assert keepalive_of(ask_with(client, keepalive)) == 46


# --- the end ------------------------------------------------------------------------------------


def test_an_idle_connection_is_closed_with_a_goodbye(start, fake, leaf, clock):
    sotto = start_dot(start, fake, leaf, env=clock.environment)
    with sotto.dot().handshake() as client, sotto.dot().handshake() as never_asked:
        client.send(NOTIMP)
        assert client.receive() is not None
        clock.advance(9)
        sotto.await_readiness()
        client.send(NOTIMP)
        assert client.receive() is not None
        clock.advance(9)
        sotto.await_readiness()
        assert never_asked.receive() is None
        clock.advance(2)
        sotto.await_readiness()
        assert client.receive() is None


def test_a_stop_finishes_what_was_asked_and_says_goodbye(start, fake, leaf):
    sotto = start_dot(start, fake, leaf)
    with sotto.dot().handshake() as client, sotto.dot().handshake() as idle, sotto.dot() as opening:
        opening.send_octets(opening.hello()[:50])
        with fake.held():
            client.send(wire.query("last.example", ident=9))
            fake.wait_for_query("last.example")
            sotto.signal(signal.SIGTERM)
            assert opening.closed()
            assert idle.receive() is None
        assert ident(client.receive()) == 9
        assert client.receive() is None
    wait_for(lambda: not sotto.alive(), "sotto to end")
    assert sotto.child.returncode == 0


# --- abuse --------------------------------------------------------------------------------------


def test_stalled_handshakes_make_room_for_new_clients(start, fake, leaf):
    """BEHAVIOUR §3: the limit is full of stalled hellos; the oldest of them goes, not a client that
    has shown what it is, and nobody is turned away."""
    sotto = start_dot(start, fake, leaf, tcp={"connections_max": 30})
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(sotto.dot().handshake())
        stalled = [stack.enter_context(sotto.dot()) for _ in range(29)]
        for index, client in enumerate(stalled):
            client.send_octets(client.hello()[: index * 10])  # the first send nothing at all
        for index in range(20):
            with sotto.dot().handshake() as client:
                client.send(wire.query(f"new-{index}.example", ident=index))
                assert ident(client.receive()) == index
        assert stalled[0].closed()
        first.send(NOTIMP)
        assert first.receive() is not None
    wait_for(lambda: "cause=displaced" in sotto.log(), "the log to tell")


def test_handshakes_have_a_deadline_that_octets_do_not_move(start, fake, leaf, clock):
    """BEHAVIOUR §3: slowloris during the hello. Also for who says nothing at all."""
    sotto = start_dot(start, fake, leaf, env=clock.environment)
    with sotto.dot() as slow, sotto.dot() as silent:
        hello = slow.hello()
        for index in range(4):
            slow.send_octets(hello[index : index + 1])
            clock.advance(1)
            sotto.await_readiness()
        clock.advance(2)
        sotto.await_readiness()
        assert slow.closed() and silent.closed()
    wait_for(lambda: sotto.log().count("cause=too_slow") == 2, "the log to tell")


def test_a_clients_stalled_handshakes_make_room_for_its_own(start, fake, leaf):
    sotto = start_dot(start, fake, leaf, tcp={"connections_per_client_max": 5})
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(sotto.dot()) for _ in range(4)]
        busy = [stack.enter_context(sotto.dot().handshake()) for _ in range(5)]
        assert all(client.closed() for client in stalled)
        with sotto.dot() as one_more, pytest.raises((ssl.SSLError, ConnectionResetError)):
            one_more.handshake()
        for client in busy:
            client.send(NOTIMP)
            assert client.receive() is not None


def test_many_handshakes_at_once_are_all_done(start, fake, leaf):
    """More than a turn of the loop does: those put off are not forgotten, some leave meanwhile."""
    sotto = start_dot(start, fake, leaf)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sotto.dot()) for _ in range(60)]
        sotto.await_readiness()  # so all are accepted
        with sotto.stopped():
            for client in clients:
                client.send_octets(client.hello())
            for client in clients[::7]:
                client.reset()
        for index, client in enumerate(clients):
            if index % 7:
                client.handshake().send(wire.query(f"burst-{index}.example", ident=index))
                assert ident(client.receive()) == index
    sotto.assert_healthy()


@pytest.mark.parametrize("octets", [
    wire.framed(wire.query("plain.example")), b"GET /dns-query HTTP/1.1\r\n\r\n", b"\0" * 100,
    b"\x16\x03\x01\xff\xff" + b"\xaa" * 400, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" * 9,
    b"PROXY TCP4 127.0.0.5 127.0.0.1 4711 853\r\n"])
def test_garbage_ends_the_connection(dot, upstream, octets):
    with StreamClient("127.0.0.1", dot.dot_port) as client:
        client.send_octets(octets)
        client.wait_for_close()
    assert upstream.asked("plain.example") == []
    dot.assert_healthy()


# --- behind a proxy -----------------------------------------------------------------------------


def proxied(client: str) -> bytes:
    return f"PROXY TCP4 {client} 127.0.0.1 4711 853\r\n".encode()


def start_behind_proxy(starter, upstream, certificate, **changes):
    """A DoT listener that believes 127.0.0.9."""
    port = new_port()
    listen = {"tls": [{"address": f"127.0.0.1:{port}", "proxy_from": ["127.0.0.9"]}]}
    sotto = start_dot(starter, upstream, certificate, listen=listen, **changes)
    sotto.dot = lambda **options: DotClient("127.0.0.1", port, **options)
    return sotto


def test_the_client_that_a_proxy_names_counts_for_policy(start, fake, leaf):
    sotto = start_behind_proxy(start, fake, leaf, policy={"allow": ["127.0.0.0/8", "192.0.2.0/24"]})
    for client, rcode in (("192.0.2.7", wire.NOERROR), ("198.51.100.7", wire.REFUSED)):
        with sotto.dot(source="127.0.0.9", before=proxied(client)).handshake() as dot:
            dot.send(wire.query("proxied.example"))
            assert dot.receive()[3] & 15 == rcode


def test_the_client_that_a_proxy_names_counts_for_limits(start, fake, leaf):
    """The proxy itself may have as many connections as its clients; each of these has its own
    limit."""
    sotto = start_behind_proxy(start, fake, leaf, tcp={"connections_per_client_max": 2})
    with contextlib.ExitStack() as stack:
        def connect(client: str) -> DotClient:
            return stack.enter_context(sotto.dot(source="127.0.0.9", before=proxied(client)))

        for index in range(5):
            for _ in range(2):
                connect(f"192.0.2.{index}").handshake()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect("192.0.2.0").handshake()
        connect("192.0.2.5").handshake()


@pytest.mark.parametrize("source, before", [
    ("127.0.0.9", b""), ("127.0.0.9", b"PROXY TCP4 192.0.2.1\r\n"), ("127.0.0.8", b"\r\n\r\n\0\r\n"
     b"QUIT\n\x20\0\0\0"), ("127.0.0.8", proxied("192.0.2.7"))])
def test_headers_that_are_missing_broken_or_not_allowed_end_the_connection(start, fake, leaf,
                                                                           source, before):
    sotto = start_behind_proxy(start, fake, leaf)
    with sotto.dot(source=source, before=before) as client:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            client.handshake()
    wait_for(lambda: "cause=proxy_header" in sotto.log(), "the log to tell")
    with sotto.dot(source="127.0.0.8").handshake() as client:
        client.send(NOTIMP)
        assert client.receive() is not None


def test_a_proxy_that_sends_no_header_is_closed_in_time(start, fake, leaf, clock):
    sotto = start_behind_proxy(start, fake, leaf, env=clock.environment)
    with sotto.dot(source="127.0.0.9", before=proxied("192.0.2.7")[:9]) as client:
        sotto.await_readiness()
        clock.advance(6)
        sotto.await_readiness()
        assert client.closed()


def test_a_broken_record_ends_the_connection(dot, upstream):
    with dot.dot().handshake() as client:
        octets = bytearray(client.encrypted(wire.query("broken.example")))
        octets[-1] ^= 1
        client.send_octets(octets)
        assert client.closed()
    assert upstream.asked("broken.example") == []


def test_a_client_that_never_reads_is_closed_and_memory_stays(start, fake, leaf):
    """BEHAVIOUR 15: bounded write buffers; others are served meanwhile."""
    fake.answer = answers.of_size(60_000)
    sotto = start_dot(start, fake, leaf, cache={"size": 0})
    before = resident_kib(sotto.pid)
    with sotto.dot(receive_buffer=4_096).handshake() as client:
        client.socket.settimeout(0.5)
        try:
            for index in range(800):  # 48 MB of answers
                client.send(wire.query(f"flood-{index}.example", wire.TXT, ident=index))
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass  # sotto stopped reading, or closed
        with sotto.dot().handshake() as other:
            other.send(wire.query("beside.example", wire.TXT))
            assert len(other.receive()) > 59_000
        # AddressSanitizer keeps up to 256 MiB of what was freed.
        bound_mib = 512 if sanitized() else 32
        assert resident_kib(sotto.pid) - before < bound_mib * 1_024
