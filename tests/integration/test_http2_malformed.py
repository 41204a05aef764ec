"""Requests over HTTP/2 that RFC 9113 calls malformed, and frames that it forbids. By hand, as no
library sends them."""

import ssl
from collections.abc import Iterator

import pytest

from harness import wire
from harness.doh_client import (
    END_HEADERS, END_STREAM, HEADERS, MEDIA_TYPE, PRIORITY, RST_STREAM, base64url, connect, frame,
    greeting, last_goaway, literal_fields)
from harness.sotto import new_port

PROTOCOL_ERROR = 1
WHOLE = END_HEADERS | END_STREAM
FIELDS = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"dns.test"),
          (b":path", b"/dns-query?dns=" + base64url(wire.query("localhost", ident=0)).encode()))
GET = literal_fields(*FIELDS)
POST = literal_fields((b":method", b"POST"), *FIELDS[1:3], (b":path", b"/dns-query"),
                      (b"content-type", MEDIA_TYPE.encode()))


@pytest.fixture(scope="module")
def port(start_for_module, leaf):
    """Of a listener for DNS over HTTPS."""
    listening = new_port()
    start_for_module("tls://127.0.0.1:1#x.example", listen={"https": [f"127.0.0.1:{listening}"]},
                     server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
    return listening


def frames(stream: ssl.SSLSocket) -> Iterator[tuple[int, int, bytes]]:
    """Type, stream and payload of what comes."""
    octets = b""
    while piece := stream.recv(65_536):
        octets += piece
        while len(octets) >= 9 and len(octets) >= 9 + int.from_bytes(octets[:3], "big"):
            length = int.from_bytes(octets[:3], "big")
            yield octets[3], int.from_bytes(octets[5:9], "big"), octets[9:9 + length]
            octets = octets[9 + length:]


def until_answered(stream: ssl.SSLSocket, number: int) -> list[tuple[int, int, bytes]]:
    """What comes before the response on this stream, with its first frame."""
    came = []
    for one in frames(stream):
        came.append(one)
        if one[:2] == (HEADERS, number):
            return came
    raise AssertionError(f"closed after {came}")


NAMES = [b"", b"a b", b"a:b", b"a\x7f", b"a\x80", b" a", b"A"]
VALUES = [b"a\0b", b"a\rb", b"a\nb", b" a", b"a ", b"\ta", b"a\t"]


@pytest.mark.parametrize("field", [(name, b"value") for name in NAMES]
                         + [(b"x-field", value) for value in VALUES])
def test_a_malformed_field_resets_its_request(port, field):
    """RFC 9113 §8.2.1. The connection goes on."""
    with connect(port) as stream:
        stream.sendall(greeting() + frame(HEADERS, WHOLE, 1, GET + literal_fields(field))
                       + frame(HEADERS, WHOLE, 3, GET))
        came = until_answered(stream, 3)
    assert (RST_STREAM, 1, PROTOCOL_ERROR.to_bytes(4, "big")) in came
    assert not any(one[:2] == (HEADERS, 1) for one in came)


def test_so_does_one_in_the_trailers(port):
    with connect(port) as stream:
        stream.sendall(greeting() + frame(HEADERS, END_HEADERS, 1, POST)
                       + frame(HEADERS, WHOLE, 1, literal_fields((b"x-field", b" a")))
                       + frame(HEADERS, WHOLE, 3, GET))
        came = until_answered(stream, 3)
    assert (RST_STREAM, 1, PROTOCOL_ERROR.to_bytes(4, "big")) in came


@pytest.mark.parametrize("field", [
    (b"x-field", b""), (b"x-field", b"a b\tc"), (b"x-field", b"\x80\xff"),
    (b"!#$%&'*+-.^_`|~", b"a"),
])
def test_unusual_fields_are_in_order(port, field):
    with connect(port) as stream:
        stream.sendall(greeting() + frame(HEADERS, WHOLE, 1, GET + literal_fields(field)))
        until_answered(stream, 1)


FORBIDDEN = {
    "PRIORITY on stream 0 (§6.3)": frame(PRIORITY, 0, 0, bytes(5)),
    "a request on a lower stream (§5.1.1)":
        frame(HEADERS, WHOLE, 5, GET) + frame(HEADERS, WHOLE, 3, GET),
    "a request on the server's stream": frame(HEADERS, WHOLE, 2, GET),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_is_forbidden_ends_the_connection(port, what):
    with connect(port) as stream:
        stream.sendall(greeting() + FORBIDDEN[what])
        assert last_goaway(stream) == PROTOCOL_ERROR


def test_so_does_a_second_request_on_a_stream(port):
    with connect(port) as stream:
        stream.sendall(greeting() + frame(HEADERS, WHOLE, 1, GET) + frame(HEADERS, WHOLE, 3, GET))
        until_answered(stream, 3)
        stream.sendall(frame(HEADERS, WHOLE, 1, GET))
        assert last_goaway(stream) == PROTOCOL_ERROR


def test_trailers_of_a_request_that_was_reset_are_in_order(port):
    """They may have been on their way."""
    malformed = frame(HEADERS, END_HEADERS, 1, POST + literal_fields((b"x-field", b" a")))
    trailers = frame(HEADERS, WHOLE, 1, literal_fields((b"x-field", b"a")))
    with connect(port) as stream:
        stream.sendall(greeting() + malformed + frame(HEADERS, WHOLE, 3, GET))
        until_answered(stream, 3)
        stream.sendall(trailers + frame(HEADERS, WHOLE, 5, GET))
        until_answered(stream, 5)


def test_priorities_of_streams_are_in_order(port):
    with connect(port) as stream:
        stream.sendall(greeting() + frame(PRIORITY, 0, 9, bytes(5)) + frame(HEADERS, WHOLE, 1, GET))
        until_answered(stream, 1)
