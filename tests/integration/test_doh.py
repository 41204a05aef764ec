"""DNS over HTTPS towards clients (RFC 8484): requests right and wrong, order, flow control, what
caches may do, HTTP/1.1, ends and abuse."""

import contextlib
import signal
import ssl
import struct
import subprocess

import pytest

from harness import answers, wire
from harness.doh_client import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, MEDIA_TYPE, PING,
    PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, DohClient, Response, base64url, connect, frame,
    greeting, last_goaway, literal_fields, tls_context)
from harness.sotto import binary, environment, new_port, sanitized
from harness.waiting import PATIENCE
from test_tcp import resident_kib

LOCAL = wire.query("localhost", ident=0)  # answered at once, whatever the upstream does


def start_doh(starter, upstream, leaf, **changes):
    """A sotto that listens for DoH as well, and a function that makes its clients."""
    port = new_port()
    listen = {"https": [f"127.0.0.1:{port}"], **changes.pop("listen", {})}
    tls = {"certificate": str(leaf.chain), "key": str(leaf.key)}
    sotto = starter(upstream, listen=listen, server_tls=tls, **changes)
    sotto.doh_port = port
    sotto.ca_file = starter.ca_file
    sotto.doh = lambda **options: DohClient(port, **options)
    return sotto


@pytest.fixture(scope="module")
def doh(start_for_module, shared, leaf):
    """A DoH listener in front of the shared fake upstream."""
    return start_doh(start_for_module, shared.fake, leaf)


def address_in(message: bytes, name: str) -> bool:
    return wire.oracle_address(wire.name_octets(name)) in message


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_is_answered(doh, upstream, authority, method):
    """The certificate is verified, ALPN is h2, the ID stays 0, the type is exact."""
    name = f"{method.lower()}.example"
    query = wire.query(name, ident=0)
    with doh.doh(context=tls_context(authority.ca_file)) as client:
        assert client.socket.selected_alpn_protocol() == "h2"
        response = client.response(client.post(query) if method == "POST" else client.get(query))
    assert response.status == 200
    assert response.fields["content-type"] == MEDIA_TYPE
    assert int(response.fields["content-length"]) == len(response.body)
    assert response.body[:2] == b"\0\0" and address_in(response.body, name)


def test_head_is_answered_without_a_body(doh, upstream):
    with doh.doh() as client:
        got = client.response(client.get(LOCAL))
        head = client.response(client.get(LOCAL, "HEAD"))
    assert head.status == 200 and head.body == b""
    assert head.fields == got.fields


def test_escaped_letters_are_letters(doh):
    """RFC 3986 §2.3, as some frameworks escape more than they must."""
    with doh.doh() as client:
        query = "".join(f"%{ord(letter):02x}" for letter in base64url(LOCAL))
        response = client.response(client.request("GET", f"/%64ns-query?dns={query}"))
        assert response.status == 200
        assert response.body == client.response(client.get(LOCAL)).body


@pytest.mark.parametrize("method, path, body, fields, status, words", [
    ("GET", "/dns-query", b"", {}, 400, "parameter dns"),
    ("GET", "/dns-query?dns=AAAB+", b"", {}, 400, "base64url"),
    ("GET", f"/dns-query?dns={base64url(LOCAL)}==", b"", {}, 400, "padding"),
    ("GET", "/dns-query?dns=AAAA", b"", {}, 400, "12 octets"),
    ("POST", "/dns-query", b"short", {"content_type": MEDIA_TYPE}, 400, "12 octets"),
    ("POST", "/dns-query", struct.pack("!HHHHHH", 0, 0x8000, 0, 0, 0, 0),
     {"content_type": MEDIA_TYPE}, 400, "not a DNS query"),
    ("GET", "/", b"", {}, 404, "path"),
    ("GET", f"/other?dns={base64url(LOCAL)}", b"", {}, 404, "path"),
    ("PUT", "/dns-query", LOCAL, {"content_type": MEDIA_TYPE}, 405, "GET or POST"),
    ("POST", "/dns-query", b"m" * 66_000, {"content_type": MEDIA_TYPE}, 413, "65535"),
    ("POST", "/dns-query", LOCAL, {"content_type": "application/dns-json"}, 415, MEDIA_TYPE),
    ("POST", "/dns-query", LOCAL, {}, 415, MEDIA_TYPE),
], ids=[f"case{number}" for number in range(12)])
def test_what_is_no_query_gets_a_status_and_words(doh, method, path, body, fields, status, words):
    """The connection goes on."""
    with doh.doh() as client:
        if len(body) > 60_000:  # beyond the first window
            stream = ask_in_pieces(client, path, body, fields)
        else:
            stream = client.request(method, path, body, **fields)
        response = client.response(stream)
        assert response.status == status
        assert response.fields["content-type"] == "text/plain; charset=utf-8"
        assert words in response.body.decode() and response.body.endswith(b"\n")
        assert response.fields.get("allow") == ("GET, HEAD, POST" if status == 405 else None)
        assert client.response(client.get(LOCAL)).status == 200


def ask_in_pieces(client: DohClient, path: str, body: bytes, fields: dict[str, str]) -> int:
    """As far as it is wanted: sotto answers before the end."""
    stream = client.connection.get_next_available_stream_id()
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    client.connection.send_headers(stream, [(":method", "POST"), (":scheme", "https"),
                                            (":authority", "dns.test"), (":path", path), *named])
    client.responses[stream] = response = Response()
    while body and not response.ended:
        room = min(client.connection.local_flow_control_window(stream), len(body), 16_384)
        if room:
            client.connection.send_data(stream, body[:room])
            body = body[room:]
            client._send()
        else:
            client.receive()
    return stream


def test_the_path_is_the_listeners(start, fake, leaf):
    port = new_port()
    doh = start_doh(start, fake, leaf,
                    listen={"https": [{"address": f"127.0.0.1:{port}", "path": "/q"}]})
    doh.doh_port = port
    with DohClient(port, path="/q") as client:
        assert client.response(client.get(LOCAL)).status == 200
        assert client.response(client.request("GET", f"/dns-query?dns={base64url(LOCAL)}")
                               ).status == 404


def test_padded_queries_get_padded_responses_and_no_keepalive(doh, upstream):
    """RFC 8467 §4.1; RFC 7828 is not for HTTP."""
    options = wire.option(wire.PADDING, b"\0" * 7) + wire.option(wire.KEEPALIVE, b"")
    query = wire.query("padded.example", ident=0, opt=wire.opt_record(options))
    with doh.doh() as client:
        response = client.response(client.post(query))
        plain = client.response(client.post(wire.query("padded.example", ident=0)))
    assert len(response.body) == 468
    assert struct.pack("!HH", wire.KEEPALIVE, 2) not in response.body
    assert len(plain.body) < 100


# --- what caches may do -------------------------------------------------------------------------


def soa(ttl: int, minimum: int) -> bytes:
    return wire.record(wire.SOA, b"\0\0" + struct.pack("!IIIII", 1, 2, 3, 4, minimum), ttl=ttl)


@pytest.mark.parametrize("name, answer, control", [
    ("lowest", lambda asked: wire.respond(asked, (
        wire.record(wire.A, b"\x01\x02\x03\x04", ttl=70),
        wire.record(wire.A, b"\x01\x02\x03\x05", ttl=70))), "max-age=70"),
    ("zero", lambda asked: wire.respond(asked, (
        wire.record(wire.A, b"\x01\x02\x03\x04", ttl=0),)), "max-age=0"),
    ("denied", lambda asked: wire.respond(asked, (), authorities=(soa(900, 40),),
                                          rcode=wire.NXDOMAIN), "max-age=40"),
    ("nothing", lambda asked: wire.respond(asked, (), authorities=(soa(30, 40),)), "max-age=30"),
    ("failed", lambda asked: wire.respond(asked, rcode=wire.SERVFAIL), "no-store"),
])
def test_responses_say_how_long_they_may_be_kept(doh, upstream, name, answer, control):
    upstream.answer = answers.message(answer)
    with doh.doh() as client:
        response = client.response(client.post(wire.query(f"{name}.example", ident=0)))
    assert response.status == 200
    assert response.fields["cache-control"] == control


# --- streams ------------------------------------------------------------------------------------


def test_responses_leave_as_they_are_ready(doh, upstream):
    """A slow one does not hold the others; each stream gets its own."""
    upstream.answer = answers.slow_names("slow", 0.2)
    with doh.doh() as client:
        slow = client.post(wire.query("slow.example", ident=0))
        names = {client.get(wire.query(f"doh-{index}.example", ident=0)): f"doh-{index}.example"
                 for index in range(100)}
        names[slow] = "slow.example"
        client.wait_until(lambda: len(client.order) == 101)
        assert client.order[-1] == slow
        for stream, name in names.items():
            assert address_in(client.responses[stream].body, name), name


def test_flow_control_is_respected(doh, upstream):
    upstream.answer = answers.many_records(100)
    with doh.doh(window=100) as client:
        stream = client.post(wire.query("windowed.example", ident=0))
        other = client.post(wire.query("other.example", ident=0))
        client.wait_until(lambda: len(client.responses[stream].body) == 100
                          and len(client.responses[other].body) == 100)
        client.allow(stream, 65_000)
        response = client.response(stream)
        assert len(response.body) == int(response.fields["content-length"]) > 1_600
        assert len(client.responses[other].body) == 100


def test_a_reset_request_disturbs_nobody(doh, upstream):
    upstream.answer = answers.late(0.1)
    with doh.doh() as client:
        lost = client.post(wire.query("lost.example", ident=0))
        kept = client.post(wire.query("kept.example", ident=0))
        client.reset(lost)
        assert address_in(client.response(kept).body, "kept.example")
        assert client.responses[lost].body == b""
    doh.assert_healthy()


def test_what_was_asked_is_answered_when_sotto_stops(start, fake, leaf):
    """GOAWAY comes before the answer; the library h2 would take it for the end."""
    fake.answer = answers.late(0.3)
    doh = start_doh(start, fake, leaf)
    asking = subprocess.Popen(
        [str(binary()), "query", f"@https://127.0.0.1:{doh.doh_port}", "last.example", "--ca-file",
         str(doh.ca_file)], stdout=subprocess.PIPE, text=True, env=environment())
    fake.wait_for_query("last.example.")
    doh.signal(signal.SIGTERM)
    said, _ = asking.communicate(timeout=PATIENCE)
    doh.child.wait(timeout=PATIENCE)
    assert wire.oracle_text("last.example") in said


def test_idle_connections_end_with_goaway(start, fake, leaf):
    """RFC 9113 §6.8: so that a client knows which of its requests were not looked at."""
    doh = start_doh(start, fake, leaf, tcp={"idle_timeout": "300ms"})
    with doh.doh() as client:
        assert client.response(client.get(LOCAL)).status == 200
        while not client.closed:
            client.receive()
    assert client.goaway == 0


def test_who_leaves_without_taking_the_answer_is_let_go(start, fake, leaf):
    """Flow control held it back; nothing waits for windows that cannot come any more."""
    fake.answer = answers.many_records(100)
    doh = start_doh(start, fake, leaf)
    with doh.doh(window=100) as client:
        stream = client.post(wire.query("left.example", ident=0))
        client.wait_until(lambda: len(client.responses[stream].body) == 100)
    doh.signal(signal.SIGTERM)
    doh.child.wait(timeout=2)  # queries in progress would have 4.5 seconds


# --- who does not speak HTTP/2 ------------------------------------------------------------------


@pytest.mark.parametrize("alpn", [("http/1.1",), ()])
def test_http1_is_told_in_words(doh, alpn):
    with connect(doh.doh_port, tls_context(alpn=alpn)) as stream:
        stream.sendall(b"GET /dns-query HTTP/1.1\r\nHost: dns.test\r\n\r\n")
        said = b""
        while piece := stream.recv(4_096):
            said += piece
    assert said.startswith(b"HTTP/1.1 505 HTTP Version Not Supported\r\n")
    assert said.endswith(b"\r\n\r\nDNS is served over HTTP/2 here; HTTP/1.1 is not spoken\n")


def test_http2_without_alpn_is_answered(doh):
    with doh.doh(context=tls_context(alpn=())) as client:
        assert client.response(client.get(LOCAL)).status == 200


# --- abuse --------------------------------------------------------------------------------------

_GET = literal_fields((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"dns.test"),
                      (b":path", b"/dns-query?dns=" + base64url(LOCAL).encode()))
_POST = literal_fields((b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"dns.test"),
                       (b":path", b"/dns-query"), (b"content-type", MEDIA_TYPE.encode()))
_UPSTREAM_GET = literal_fields(
    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"dns.test"),
    (b":path", b"/dns-query?dns=" + base64url(wire.query("held.example", ident=0)).encode()))


def abusers():
    streams = range(1, 1_999, 2)
    whole = END_HEADERS | END_STREAM
    yield "rapid reset", b"".join(
        frame(HEADERS, whole, stream, _UPSTREAM_GET) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
        for stream in streams)
    yield "CONTINUATION", frame(HEADERS, END_STREAM, 1, _GET[:10]) + b"".join(
        frame(CONTINUATION, 0, 1, _GET[at:at + 2]) for at in range(10, 60, 2))
    yield "SETTINGS", frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff") * 1_000
    yield "PING", frame(PING, 0, 0, b"12345678") * 2_000
    yield "WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 2_000
    yield "empty DATA", frame(HEADERS, END_HEADERS, 1, _POST) + frame(DATA, 0, 1) * 2_000
    yield "slow bodies", b"".join(
        frame(HEADERS, END_HEADERS, stream, _POST) + frame(DATA, 0, stream, b"x" * 8_000)
        for stream in range(1, 41, 2))
    yield "header bomb", frame(HEADERS, whole, 1, _GET + b"\x40\1x\x7f\x85\6" + b"v" * 900
                               + b"\xbe" * 10_000)


_ABUSERS = dict(abusers())


@pytest.mark.parametrize("name", _ABUSERS)
def test_abuse_ends_in_goaway(doh, upstream, name):
    upstream.answer = answers.late(0.05)
    with connect(doh.doh_port) as stream:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            stream.sendall(greeting() + _ABUSERS[name])
        assert last_goaway(stream) in (ENHANCE_YOUR_CALM, None)  # None: RST was faster
    with doh.doh() as client:
        assert client.response(client.get(LOCAL)).status == 200


def test_abuse_leaves_no_memory_behind(start, fake, leaf):
    """BEHAVIOUR §4.7. Four rounds of everything after one of the same."""
    fake.answer = answers.right
    doh = start_doh(start, fake, leaf)

    def rounds(count: int) -> None:
        for _ in range(count):
            for octets in _ABUSERS.values():
                with connect(doh.doh_port) as stream:
                    with contextlib.suppress(ConnectionError, ssl.SSLError):
                        stream.sendall(greeting() + octets)
                    last_goaway(stream)

    rounds(1)
    before = resident_kib(doh.pid)
    rounds(4)
    if not sanitized():
        assert resident_kib(doh.pid) - before < 1_024
    doh.assert_healthy()


def test_responses_nobody_reads_end_the_connection(start, fake, leaf):
    """A client without windows holds no more than a mebibyte."""
    fake.answer = answers.many_records(1_000)
    doh = start_doh(start, fake, leaf)
    before = resident_kib(doh.pid)
    query = _UPSTREAM_GET
    with connect(doh.doh_port) as stream:
        no_window = frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0")
        stream.sendall(PREFACE + no_window + frame(SETTINGS, ACK, 0) + b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, 2 * at + 1, query) for at in range(100)))
        assert last_goaway(stream) == ENHANCE_YOUR_CALM
    if not sanitized():
        assert resident_kib(doh.pid) - before < 8_192
    doh.assert_healthy()


def test_responses_nobody_reads_are_not_held_against_others(start, fake, leaf):
    """Beyond 128 MiB of unread responses in all those go who hold the most, not who reads."""
    fake.answer = answers.of_size(60_000)
    doh = start_doh(start, fake, leaf)
    no_window = PREFACE + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + frame(SETTINGS, ACK, 0)
    context = tls_context()

    def unread(responses: int) -> ssl.SSLSocket:
        stream = connect(doh.doh_port, context)
        stream.sendall(no_window + b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, 2 * at + 1, _UPSTREAM_GET)
            for at in range(responses)))
        return stream

    with contextlib.ExitStack() as held, doh.doh() as reader:
        for responses in [5] * 440 + [1] * 300:  # the second sort fills up what is left
            held.enter_context(unread(responses))
        fake.answer = answers.right
        for index in range(20):
            assert reader.response(reader.get(wire.query(f"reader-{index}.example"))).status == 200
    doh.assert_healthy()


# --- sotto query --------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--get"]])
def test_sotto_query_asks_over_https(doh, upstream, authority, flags):
    name = "asked-by-get.example" if flags else "asked-by-post.example"
    done = run_query(f"@https://127.0.0.1:{doh.doh_port}/dns-query#dns.test", name, *flags,
                     "--ca-file", str(authority.ca_file))
    assert done.returncode == 0, done.stderr
    assert wire.oracle_text(name) in done.stdout
    assert ";; cache-control: max-age=300" in done.stdout and "over HTTPS, TLS1.3" in done.stdout


def test_sotto_query_says_what_the_server_said(doh, authority):
    done = run_query(f"@https://127.0.0.1:{doh.doh_port}/wrong", "localhost", "--ca-file",
                     str(authority.ca_file))
    assert done.returncode == 1
    assert "HTTP status 404: DNS is not served at this path" in done.stderr


def run_query(*arguments: str):
    return subprocess.run([str(binary()), "query", *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment(), check=False)
