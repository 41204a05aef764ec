"""A TCP proxy in front of a DoT server whose faults are switched at run time: the path misbehaves.

It adds a delay to every payload in each direction, and to its end (the TCP handshake itself is
free), and does not look inside. It runs in an event loop on a thread of its own; tests set its
plain attributes at any time. What a server does wrong itself is the part of fake_upstream.py.
"""

import asyncio
import collections
import contextlib
import enum
import random
import select
import selectors
import socket
import struct
import threading
import typing
from collections.abc import Callable

from . import ports
from .fake_upstream import BlackHole
from .waiting import PATIENCE

_BACKLOG = 4_096


class PreciseSelector(selectors.EpollSelector):
    """epoll takes milliseconds and Python rounds them up; a path's delay must not be a millisecond
    too long each time. select() on the epoll descriptor itself takes microseconds."""

    def select(self, timeout: float | None = None):
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)
        return super().select(0)


class _End(enum.Enum):
    """Of a direction, behind what came before it."""

    CLOSED = "FIN"
    RESET = "RST"


_Piece = bytes | _End


class _Way:
    """One direction of a connection: what came leaves in order, each piece when it is due."""

    def __init__(self, pair: "_Pair", to_client: bool):
        self._pair, self._proxy = pair, pair.proxy
        self._to_client = to_client
        self._waiting: collections.deque[tuple[float, _Piece]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last_due = 0.0
        self._payloads = 0
        self.held: list[_Piece] = []

    def pass_on(self, piece: _Piece) -> None:
        if self._pair.silent:
            self.held.append(piece)
            return
        proxy = self._proxy
        delay = proxy.delay
        if self._to_client:
            delay += proxy.answer_delay
            if self._payloads == 0:
                delay += proxy.handshake_delay
        if proxy.stall_share and proxy.random.random() < proxy.stall_share:
            proxy.stalls += 1
            delay += proxy.stall_seconds
        self._payloads += 1
        self._last_due = max(self._last_due, proxy.loop.time() + delay)
        self._waiting.append((self._last_due, piece))
        if self._timer is None:
            self._arm()

    def release(self) -> None:
        pieces, self.held = self.held, []
        for piece in pieces:
            self.pass_on(piece)

    def stop(self) -> None:
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def hold_all(self) -> None:
        """What is on its way stays there."""
        self.held = [piece for _, piece in self._waiting] + self.held
        self.stop()

    def _arm(self) -> None:
        self._timer = self._proxy.loop.call_at(self._waiting[0][0], self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        now = self._proxy.loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, piece = self._waiting.popleft()
            self._pair.deliver(piece, self._to_client)
        if self._waiting:
            self._arm()


class _Side(asyncio.Protocol):
    """The socket towards the client, or the one towards the server."""

    def __init__(self, pair: "_Pair", is_client: bool):
        self._pair, self._is_client = pair, is_client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = typing.cast(asyncio.Transport, transport)
        self._socket = made.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._acknowledge()
        self._pair.opened(made, self._is_client)

    def _acknowledge(self) -> None:
        """Now, not 40 ms later: a sender that waits for it (Nagle) is no delay of ours. The kernel
        takes this back whenever it likes."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def data_received(self, data: bytes) -> None:
        self._acknowledge()
        self._pair.received(data, self._is_client)

    def eof_received(self) -> bool:
        self._pair.received(_End.CLOSED, self._is_client)
        return True  # the other direction may still have something to say

    def connection_lost(self, error: Exception | None) -> None:
        self._pair.lost(self._is_client, error is not None)


class _Pair:
    """One connection of a client and the one made for it to the server."""

    def __init__(self, proxy: "FaultProxy"):
        self.proxy = proxy
        self.silent = False
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._early: list[_Piece] = []  # due before the server's side was there
        self._ended = False
        self._ends = 0  # directions whose end has been passed on
        self._ways = {True: _Way(self, True), False: _Way(self, False)}  # by: to the client
        self._idle_timer: asyncio.TimerHandle | None = None

    def opened(self, transport: asyncio.Transport, is_client: bool) -> None:
        if not is_client:
            self._server = transport
            if self._ended:
                _reset(transport)
            for piece in self._early:
                self.deliver(piece, to_client=False)
            self._early.clear()
            return
        self._client = transport
        self.proxy.opened(self)
        self.proxy.loop.create_task(self._connect())
        self._touch()

    async def _connect(self) -> None:
        try:
            await self.proxy.loop.create_connection(
                lambda: _Side(self, is_client=False), *self.proxy.server)
        except OSError:
            self.reset()

    def received(self, piece: _Piece, from_client: bool) -> None:
        if self._ended:
            return
        if isinstance(piece, bytes):
            self._touch()
        self._ways[not from_client].pass_on(piece)

    def deliver(self, piece: _Piece, to_client: bool) -> None:
        transport = self._client if to_client else self._server
        if piece is _End.RESET:
            self.reset()
        elif transport is None:
            if not to_client:
                self._early.append(piece)
        elif transport.is_closing():
            pass
        elif isinstance(piece, bytes):
            transport.write(piece)
        else:
            self._ends += 1
            if self._ends == 2:
                self.close()
                return
            with contextlib.suppress(OSError):  # reset meanwhile
                transport.write_eof()

    def lost(self, is_client: bool, by_reset: bool) -> None:
        if self._ended:
            return
        if self.silent:
            if is_client:  # the server never learns; what was held can still be counted there
                self._client = None
                self.proxy.closed(self)
            return
        if by_reset:  # what was sent before it is still under way
            self.received(_End.RESET, is_client)
        else:
            self._end(lambda transport: transport.close())

    def reset(self) -> None:
        self._end(_reset)

    def close(self) -> None:
        self._end(lambda transport: transport.close())

    def _end(self, end: Callable[[asyncio.Transport], None]) -> None:
        if self._ended:
            return
        self._ended = True
        if self._idle_timer:
            self._idle_timer.cancel()
        for way in self._ways.values():
            way.stop()
        for transport in (self._client, self._server):
            if transport is not None:
                end(transport)
        self.proxy.closed(self)

    def fall_silent(self) -> None:
        self.silent = True
        for way in self._ways.values():
            way.hold_all()

    def release(self) -> None:
        self.silent = False
        for way in self._ways.values():
            way.release()

    def _touch(self) -> None:
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self.proxy.idle_after is not None:
            end = self.close if self.proxy.idle_kind == "close" else self.fall_silent
            self._idle_timer = self.proxy.loop.call_later(self.proxy.idle_after, end)


def _reset(transport: asyncio.Transport) -> None:
    made = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class FaultProxy:
    """Use as a context manager. The defaults are those of a faultless path without delay."""

    def __init__(self, server_port: int, *, server_address: str = "127.0.0.1",
                 address: str = "127.0.0.1", port: int | None = None, seed: int = 1):
        self.server = (server_address, server_port)
        self.address = address
        self.port = port or ports.free_port()
        self.random = random.Random(seed)
        self.delay = 0.0  # seconds, of every payload in each direction
        self.answer_delay = 0.0  # seconds, of what the server sends in addition
        self.handshake_delay = 0.0  # seconds, of the first that the server sends in addition
        self.stall_share = 0.0  # of all payloads; the payload and what follows it wait
        self.stall_seconds = 1.0
        self.silent = False  # see silence()
        self.idle_after: float | None = None  # seconds
        self.idle_kind = "close"  # close | forget (silence, as a NAT that dropped the flow)

        self.connections = 0  # accepted so far
        self.stalls = 0
        self.live: set[_Pair] = set()

        self.loop = asyncio.SelectorEventLoop(PreciseSelector())
        self._server: asyncio.AbstractServer | None = None
        self._hole: BlackHole | None = None
        self._mute: list[_Pair] = []  # silent ones whose client has gone
        self._thread = threading.Thread(target=self.loop.run_forever, name="fault proxy")

    # --- life ------------------------------------------------------------------------------

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        self.start_listening()
        return self

    def __exit__(self, *_ignored) -> None:
        self.stop_listening()
        self.reset_all()
        self.call(self._end_tasks)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def call(self, function: Callable, *arguments) -> typing.Any:
        """Runs a function, or a coroutine function, in the loop; returns its result."""

        async def run():
            result = function(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE)

    @staticmethod
    async def _end_tasks() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # --- faults ----------------------------------------------------------------------------

    def start_listening(self) -> None:
        async def start():
            if self._hole:
                self._hole.close()
                self._hole = None
            self._server = await self.loop.create_server(
                lambda: _Side(_Pair(self), is_client=True), self.address, self.port,
                backlog=_BACKLOG)

        self.call(start)

    def stop_listening(self) -> None:
        """New connections are refused; those that exist stay."""

        def stop():
            if self._hole:
                self._hole.close()
                self._hole = None
            if self._server:
                self._server.close()
                self._server = None

        self.call(stop)

    def reset_all(self) -> None:
        """RST to every client and server that is connected."""

        def reset():
            for pair in [*self.live, *self._mute]:
                pair.reset()
            self._mute.clear()

        self.call(reset)

    def refuse(self) -> None:
        """Live connections are reset, the port is closed."""
        self.stop_listening()
        self.reset_all()

    def black_hole(self) -> None:
        """New connections are neither accepted nor refused; those that exist stay."""

        def fill():
            self._hole = BlackHole(self.address, self.port)

        self.stop_listening()
        self.call(fill)

    def silence(self) -> None:
        """What is written is accepted and held, what is under way as well; so are new connections,
        until release()."""

        def hold():
            self.silent = True
            for pair in self.live:
                pair.fall_silent()

        self.call(hold)

    def forget_connections(self) -> None:
        """Every connection that exists falls silent until release(), new ones work."""
        self.call(lambda: [pair.fall_silent() for pair in self.live])

    def release(self) -> None:
        """Everything held goes on its way, also of clients that have gone."""

        def free():
            self.silent = False
            for pair in [*self.live, *self._mute]:
                pair.release()

        self.call(free)

    def opened(self, pair: _Pair) -> None:
        self.live.add(pair)
        self.connections += 1
        pair.silent = self.silent

    def closed(self, pair: _Pair) -> None:
        self.live.discard(pair)
        if pair.silent:
            self._mute.append(pair)

    def url(self, auth_name: str = "dns.test") -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tls://{host}:{self.port}#{auth_name}"
