"""One connection of the fake upstream: TLS over memory, so that every octet is seen and every
fault can be made at exactly the layer where it happens in the wild."""

import asyncio
import socket
import ssl
import struct
import typing

from . import wire

if typing.TYPE_CHECKING:
    from .fake_upstream import FakeUpstream

# RFC 8446 §5.1: what may be the first octet of a record; §5.2: the longest ciphertext.
_RECORD_TYPES = range(20, 24)
_RECORD_OF_DATA = 23
_RECORD_OCTETS_MAX = 16_384 + 256
_PORTAL = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n"


class RecordMeter:
    """Counts octets that are not TLS records. Once a stream is out of step, all of it counts."""

    def __init__(self) -> None:
        self.not_tls = 0
        self.data_octets: list[int] = []  # of the records of data since somebody looked
        self._header = b""
        self._left = 0
        self._lost = False

    def feed(self, octets: bytes) -> None:
        position = 0
        while position < len(octets) and not self._lost:
            if self._left:
                step = min(self._left, len(octets) - position)
                self._left -= step
                position += step
                continue
            piece = octets[position : position + 5 - len(self._header)]
            self._header += piece
            position += len(piece)
            if len(self._header) == 5:
                kind, version, length = struct.unpack("!BHH", self._header)
                if kind in _RECORD_TYPES and version >> 8 == 3 and length <= _RECORD_OCTETS_MAX:
                    self._left, self._header = length, b""
                    if kind == _RECORD_OF_DATA:
                        self.data_octets.append(length)
                else:
                    self._lost = True
                    self.not_tls += 5
        if self._lost:
            self.not_tls += len(octets) - position


class Connection(asyncio.Protocol):
    """Owned by its FakeUpstream, runs in the upstream's event loop only."""

    def __init__(self, upstream: "FakeUpstream"):
        self.upstream = upstream
        self.number = -1
        self.queries = 0
        self.answers = 0
        self.silent = False  # nothing is read or written any more, but the connection stays
        self.ready = False
        self._stream = b""
        self._meter = RecordMeter()
        self._timers: list[asyncio.TimerHandle] = []
        self._idle_timer: asyncio.TimerHandle | None = None

    # --- asyncio -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = typing.cast(asyncio.Transport, transport)
        self.socket: socket.socket = transport.get_extra_info("socket")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream = self.upstream
        self.number = upstream.opened(self)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = upstream.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        others = len(upstream.live) - 1
        if upstream.on_connect == "reset" or others >= upstream.connections_max:
            self.reset()
        elif upstream.on_connect == "close":
            self.transport.close()
        elif not upstream.reading:
            self.transport.pause_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._idle_timer:
            self._idle_timer.cancel()
        self.upstream.closed(self)

    def eof_received(self) -> bool:
        return False  # closes our side too

    def data_received(self, data: bytes) -> None:
        upstream = self.upstream
        before = self._meter.not_tls
        self._meter.feed(data)
        upstream.octets_not_tls += self._meter.not_tls - before
        if self.ready:  # before, the handshake's records pose as data
            upstream.record_octets += self._meter.data_octets
        self._meter.data_octets.clear()
        if self.silent or upstream.on_connect == "mute":
            return
        if upstream.on_connect in ("http", "plaintext"):
            dns = wire.framed(struct.pack("!HHHHHH", 0, wire.QR, 0, 0, 0, 0))
            self.transport.write(_PORTAL if upstream.on_connect == "http" else dns)
            return
        self.incoming.write(data)
        try:
            if not self.ready and not self._shake_hands():
                return
            self._read()
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.transport.close()
        except ssl.SSLError as error:
            upstream.tls_errors.append(str(error))
            self._flush()
            self.transport.close()

    # --- TLS -----------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self._flush()
        self.ready = True
        self.upstream.shaken(self)
        if self.upstream.reset_after is not None:
            self.later(self.upstream.reset_after, self.reset)
        if self.upstream.close_after is not None:
            self.later(self.upstream.close_after, self.close)
        self._touch()
        return True

    def _flush(self) -> None:
        if self.outgoing.pending and not self.transport.is_closing():
            self.transport.write(self.outgoing.read())

    def _read(self) -> None:
        while not self.transport.is_closing() and not self.silent:
            try:
                octets = self.tls.read(65_536)
            except ssl.SSLWantReadError:
                break
            if not octets:
                self.transport.close()
                break
            self._stream += octets
            self._cut()
        self._flush()

    def _cut(self) -> None:
        position = 0
        while len(self._stream) - position >= 2:
            (length,) = struct.unpack_from("!H", self._stream, position)
            end = position + 2 + length
            if end > len(self._stream):
                break
            self._serve(self._stream[position + 2 : end])
            position = end
            if self.transport.is_closing():
                break
        self._stream = self._stream[position:]

    # --- DNS -----------------------------------------------------------------------------

    def _serve(self, message: bytes) -> None:
        upstream = self.upstream
        try:
            asked = wire.parse_query(message, self.number)
        except wire.Malformed as error:
            upstream.malformed.append((str(error), message))
            return
        upstream.queries.append(asked)
        self.queries += 1
        self._touch()
        if upstream.close_after_queries and self.queries >= upstream.close_after_queries:
            self.close()
            return
        for delay, octets in upstream.answer(asked):
            if delay:
                self.later(delay, self.send_now, octets)
            else:
                self.send(octets)

    def send_now(self, octets: "bytes | typing.Callable[[], bytes | None]") -> None:
        made = octets() if callable(octets) else octets
        if made is not None:
            self.send(made)
            self._flush()

    def send(self, octets: bytes) -> None:
        """Writes one message; the caller flushes."""
        if self.transport.is_closing() or self.silent:
            return
        upstream = self.upstream
        if upstream.trickle:
            for octet in wire.framed(octets):
                self.tls.write(bytes([octet]))
                self._flush()
        else:
            self.tls.write(wire.framed(octets))
        self.answers += 1
        upstream.answers_sent += 1
        self._touch()
        if upstream.close_after_answers and self.answers >= upstream.close_after_answers:
            self.close()

    # --- ends ----------------------------------------------------------------------------

    def later(self, seconds: float, call: typing.Callable, *arguments) -> None:
        self._timers = [timer for timer in self._timers if timer.when() > self.upstream.loop.time()]
        self._timers.append(self.upstream.loop.call_later(seconds, call, *arguments))

    def _touch(self) -> None:
        if self.upstream.idle_after is None:
            return
        if self._idle_timer:
            self._idle_timer.cancel()
        self._idle_timer = self.upstream.loop.call_later(self.upstream.idle_after, self.close)

    def close(self) -> None:
        """As the upstream's close_kind says: with close_notify, with FIN alone, or with RST."""
        if self.upstream.close_kind == "reset":
            self.reset()
            return
        if self.upstream.close_kind == "notify" and self.ready:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass  # wants the peer's close_notify, which nobody waits for
        self._flush()
        self.transport.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
