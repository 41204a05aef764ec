"""Clients of DoT and DoH that ask one query at a time, and may leave their connection open.

DoH is the little of HTTP/2 (RFC 9113) that one request needs: header fields are sent as literals,
and of a response only ":status: 200" and the body are understood.
"""

import base64
import pathlib
import socket
import ssl
import struct

from . import wire
from .waiting import PATIENCE

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEADER_OCTETS = 9
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
# Of HPACK's static table (RFC 7541, appendix A), as single octets.
_METHOD_GET, _METHOD_POST, _SCHEME_HTTPS, _STATUS_200 = b"\x82", b"\x83", b"\x87", b"\x88"
_AUTHORITY, _PATH, _ACCEPT, _CONTENT_TYPE = 1, 4, 19, 31
_MEDIA_TYPE = b"application/dns-message"


def tls_context(ca_file: pathlib.Path, alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.set_alpn_protocols([alpn])
    return context


class _Connection:
    """context: may be shared by many connections. session: of an earlier one, to resume it.
    Context manager."""

    def __init__(self, port: int, context: ssl.SSLContext, *, address: str = "127.0.0.1",
                 source: str = "", server_name: str = "dns.test",
                 session: ssl.SSLSession | None = None):
        stream = socket.create_connection((address, port), timeout=PATIENCE,
                                          source_address=(source, 0) if source else None)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = context.wrap_socket(stream, server_hostname=server_name, session=session)
        except BaseException:
            stream.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_ignored) -> None:
        self.socket.close()

    def detach(self) -> socket.socket:
        """The bare connection, still open: what TLS needed of this side's memory is given up."""
        return socket.socket(fileno=self.socket.detach())

    def _read(self, octets: int) -> bytes:
        read = b""
        while len(read) < octets:
            piece = self.socket.recv(octets - len(read))
            if not piece:
                raise EOFError(f"closed {octets - len(read)} octets too early")
            read += piece
        return read


class DotConnection(_Connection):
    ALPN = "dot"

    def ask(self, message: bytes) -> bytes:
        self.socket.sendall(wire.framed(message))
        return self._read(*struct.unpack("!H", self._read(2)))


class DohConnection(_Connection):
    ALPN = "h2"

    def __init__(self, port: int, context: ssl.SSLContext, *, path: str = "/dns-query",
                 **options):
        super().__init__(port, context, **options)
        self._path = path
        self._authority = f"{options.get('server_name', 'dns.test')}:{port}"
        self._stream = -1
        self.socket.sendall(_PREFACE + _frame(_SETTINGS))

    def ask(self, message: bytes) -> bytes:
        """By GET."""
        text = base64.urlsafe_b64encode(message).rstrip(b"=").decode()
        self._send_headers(_METHOD_GET, f"{self._path}?dns={text}", _END_STREAM)
        return self._receive()

    def post(self, message: bytes) -> bytes:
        self._send_headers(_METHOD_POST, self._path, 0, _literal(_CONTENT_TYPE, _MEDIA_TYPE))
        self.socket.sendall(_frame(_DATA, _END_STREAM, self._stream, message))
        return self._receive()

    def _send_headers(self, method: bytes, path: str, flags: int, more: bytes = b"") -> None:
        self._stream += 2
        block = (method + _SCHEME_HTTPS + _literal(_AUTHORITY, self._authority.encode())
                 + _literal(_PATH, path.encode()) + _literal(_ACCEPT, _MEDIA_TYPE) + more)
        self.socket.sendall(_frame(_HEADERS, flags | _END_HEADERS, self._stream, block))

    def _receive(self) -> bytes:
        body = b""
        while True:
            length, kind, flags, stream = _parse_header(self._read(_FRAME_HEADER_OCTETS))
            payload = self._read(length)
            if kind in (_RST_STREAM, _GOAWAY):
                raise EOFError(f"frame of type {kind}: {payload!r}")
            if kind == _SETTINGS and not flags & _ACK:
                self.socket.sendall(_frame(_SETTINGS, _ACK))
            if stream != self._stream:
                continue
            if kind == _HEADERS and not _fields(payload).startswith(_STATUS_200):
                raise ValueError(f"a response that is not 200: {payload!r}")
            if kind == _DATA:
                body += payload
            if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                return body


def _frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack("!IBI", len(payload) << 8 | kind, flags, stream) + payload


def _parse_header(octets: bytes) -> tuple[int, int, int, int]:
    """Length of the payload, type, flags, stream."""
    length_and_type, flags, stream = struct.unpack("!IBI", octets)
    return length_and_type >> 8, length_and_type & 0xFF, flags, stream & 0x7FFF_FFFF


def _fields(block: bytes) -> bytes:
    """Behind changes of the dynamic table's size, which are integers with a prefix of five bits
    (RFC 7541 §6.3)."""
    at = 0
    while block[at] >> 5 == 1:
        continued = block[at] & 0x1F == 0x1F
        at += 1
        while continued:
            continued = block[at] >= 128
            at += 1
    return block[at:]


def _literal(name: int, value: bytes) -> bytes:
    """A literal field without indexing, its name from the static table (RFC 7541 §6.2.2)."""
    return _integer(name, 4) + _integer(len(value), 7) + value


def _integer(value: int, prefix_bits: int) -> bytes:
    """RFC 7541 §5.1, the bits before the prefix zero."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([value])
    octets, value = [limit], value - limit
    while value >= 128:
        octets.append(value % 128 + 128)
        value //= 128
    return bytes([*octets, value])
