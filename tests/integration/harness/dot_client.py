"""A DoT client of sotto's that can misbehave: TLS over memory, its octets sent as the test says."""

import socket
import ssl

from . import wire
from .clients import StreamClient


def context(ca_file=None, alpn: list[str] | None = None) -> ssl.SSLContext:
    """Trusts whom the test trusts, or, without a file, everybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = ca_file is not None
    made.verify_mode = ssl.CERT_REQUIRED if ca_file else ssl.CERT_NONE
    if ca_file:
        made.load_verify_locations(ca_file)
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without a goodbye is an error
    if alpn is None:
        alpn = ["dot"]
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


class DotClient(StreamClient):
    """A TLS connection on which messages are sent; handshake() first. Context manager."""

    def __init__(self, address: str, port: int, *, tls: ssl.SSLContext | None = None,
                 session: ssl.SSLSession | None = None, before: bytes = b"", **options):
        """before: octets that are sent in front of everything."""
        super().__init__(address, port, **options)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (tls or context()).wrap_bio(
            self._incoming, self._outgoing, server_hostname="dns.test", session=session)
        self.send_octets(before)

    def hello(self) -> bytes:
        """The client hello, not sent."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()

    def handshake(self, pieces: int = 1 << 20) -> "DotClient":
        """pieces: so many octets are sent at once."""
        while True:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            self._send_waiting(pieces)
            if done:
                return self
            self._read_from_socket()

    def encrypted(self, *messages: bytes) -> bytes:
        """The octets that carry the messages."""
        self.tls.write(b"".join(wire.framed(message) for message in messages))
        return self._outgoing.read()

    def send(self, *messages: bytes) -> None:
        self.send_octets(self.encrypted(*messages))

    def say_goodbye(self) -> None:
        """close_notify, after which answers may still come."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._send_waiting(1 << 20)

    def receive(self) -> bytes | None:
        """The next message, or None when the server said goodbye at a message's end."""
        while True:
            message = self._cut()
            if message is not None:
                return message
            try:
                octets = self.tls.read(65_536)
            except ssl.SSLWantReadError:
                self._read_from_socket()
                continue
            except ssl.SSLZeroReturnError:
                octets = b""
            if not octets:
                assert not self._buffer, "the stream ended inside a message"
                return None
            self._buffer += octets

    def closed(self) -> bool:
        """Waits until the server closes, however it does; throws away what it sends."""
        try:
            while self.socket.recv(65_536):
                continue
        except ConnectionResetError:
            pass
        return True

    def _cut(self) -> bytes | None:
        length = int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < 2 or len(self._buffer) < 2 + length:
            return None
        message, self._buffer = self._buffer[2 : 2 + length], self._buffer[2 + length :]
        return message

    def _send_waiting(self, pieces: int) -> None:
        octets = self._outgoing.read()
        for at in range(0, len(octets), pieces):
            self.send_octets(octets[at : at + pieces])

    def _read_from_socket(self) -> None:
        octets = self.socket.recv(65_536)
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()


def half_close(client: DotClient) -> None:
    """FIN without a goodbye."""
    client.socket.shutdown(socket.SHUT_WR)
