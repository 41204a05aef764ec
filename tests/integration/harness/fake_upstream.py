"""A DoT server of our own whose faults are switched at run time, and which counts what it sees.

It runs in an event loop on a thread of its own. Tests set its plain attributes at any time; the
loop reads them. BEHAVIOUR.md §2 lists the faults; answers.py holds those that concern answers.
"""

import asyncio
import collections
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from . import answers, ports, wire
from .certificates import Leaf
from .fake_connection import Connection
from .waiting import PATIENCE, wait_for

NO_LIMIT = 1_000_000


def server_context(leaf: Leaf, *, tickets: bool = True,
                   version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Each context has ticket keys of its own: a new one refuses the tickets of the old."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.chain, leaf.key)
    context.set_alpn_protocols(["dot"])
    if not tickets:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    if version is not None:
        with contextlib.suppress(ssl.SSLError):
            context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL 3 refuses TLS 1.1 altogether
        context.minimum_version = context.maximum_version = version
    return context


class FakeUpstream:
    """Use as a context manager. The defaults are those of a faultless server."""

    def __init__(self, leaf: Leaf, address: str = "127.0.0.1"):
        self.address = address
        self.port = ports.free_port()
        self.context = server_context(leaf)
        # serve | reset | close | mute (TCP only, never a TLS answer) | plaintext | http
        self.on_connect = "serve"
        self.connections_max = NO_LIMIT  # a connection beyond this many is reset
        self.reading = True
        self.reset_after: float | None = None  # seconds after the handshake
        self.close_after: float | None = None  # the same, as close_kind says
        self.idle_after: float | None = None  # closes when idle for this many seconds
        self.close_after_answers = 0
        self.close_after_queries = 0  # the last of them and what is in flight stay unanswered
        self.close_kind = "notify"  # notify | fin | reset
        self.trickle = False  # each octet of an answer in a TLS record of its own
        self.answer: answers.Answer = answers.right

        self.connections = 0
        self.peers: list[str] = []  # the address of each connection's other end
        self.handshakes_full = 0
        self.handshakes_resumed = 0
        self.tls_versions: set[str] = set()
        self.alpn: set[str | None] = set()
        self.tls_errors: list[str] = []
        self.record_octets: list[int] = []  # of each record of data, as it came
        self.octets_not_tls = 0
        self.datagrams = 0  # anything that came to the same port over UDP
        self.queries: list[wire.Query] = []
        self.answers_sent = 0
        self.malformed: list[tuple[str, bytes]] = []
        self.live: set[Connection] = set()

        self.loop = asyncio.new_event_loop()
        self._server: asyncio.AbstractServer | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, name="fake upstream")

    # --- life ------------------------------------------------------------------------------

    def __enter__(self) -> "FakeUpstream":
        self._thread.start()
        self.start_listening()
        self.call(self._count_datagrams)
        return self

    def __exit__(self, *_ignored) -> None:
        self.stop_listening()
        self.reset_all()
        self.call(self._datagram_transport.close)
        self.call(lambda: None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def call(self, function: Callable, *arguments) -> Any:
        """Runs a function, or a coroutine function, in the loop; returns its result."""

        async def run():
            result = function(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE)

    def start_listening(self) -> None:
        async def start():
            self._server = await self.loop.create_server(
                lambda: Connection(self), self.address, self.port, backlog=1_024
            )

        self.call(start)

    def stop_listening(self) -> None:
        """New connections are refused with RST; those that exist stay."""

        async def stop():
            if self._server:
                self._server.close()
                self._server = None

        self.call(stop)

    def reset_all(self) -> None:
        self._end(Connection.reset)

    def close_all(self) -> None:
        self._end(Connection.close)

    def _end(self, how: Callable[[Connection], None]) -> None:
        """Those that are open now; others may come at once."""
        ending: set[Connection] = set()

        def end():
            ending.update(self.live)
            for connection in ending:
                how(connection)

        self.call(end)
        wait_for(lambda: not ending & self.live, "the fake upstream's connections to be gone")

    def go_down(self) -> None:
        self.stop_listening()
        self.reset_all()

    def silence(self) -> None:
        """Existing connections: writes succeed, nothing comes back. New ones work."""

        def mark():
            for connection in self.live:
                connection.silent = True

        self.call(mark)

    def stop_reading(self) -> None:
        """Zero window: nothing is read any more on any connection, nothing is closed."""
        self.reading = False
        self.call(lambda: [connection.transport.pause_reading() for connection in self.live])

    def use(self, leaf: Leaf, **options) -> None:
        """Another certificate; new ticket keys, so that old tickets are refused."""
        self.context = server_context(leaf, **options)

    @contextlib.contextmanager
    def held(self):
        """Inside, queries are counted but wait; at its end all are answered at once."""
        waiting: list[Callable[[], None]] = []
        before = self.answer

        def hold(asked: wire.Query):
            connection = next(one for one in self.live if one.number == asked.connection)
            waiting.append(lambda: [connection.send_now(octets) for _, octets in before(asked)])
            return []

        self.answer = hold
        try:
            yield
        finally:
            self.answer = before
            self.call(lambda: [answer() for answer in waiting])

    # --- called by connections ---------------------------------------------------------------

    def opened(self, connection: Connection) -> int:
        self.live.add(connection)
        self.peers.append(connection.transport.get_extra_info("peername")[0])
        self.connections += 1
        return self.connections - 1

    def closed(self, connection: Connection) -> None:
        self.live.discard(connection)

    def shaken(self, connection: Connection) -> None:
        if connection.tls.session_reused:
            self.handshakes_resumed += 1
        else:
            self.handshakes_full += 1
        self.tls_versions.add(connection.tls.version())
        self.alpn.add(connection.tls.selected_alpn_protocol())

    async def _count_datagrams(self) -> None:
        upstream = self

        class Counter(asyncio.DatagramProtocol):
            def datagram_received(self, _data, _address):
                upstream.datagrams += 1

        self._datagram_transport, _ = await self.loop.create_datagram_endpoint(
            Counter, local_addr=(self.address, self.port)
        )

    # --- what was seen -----------------------------------------------------------------------

    @property
    def handshakes(self) -> int:
        return self.handshakes_full + self.handshakes_resumed

    def url(self, auth_name: str = "dns.test") -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tls://{host}:{self.port}" + (f"#{auth_name}" if auth_name else "")

    def asked(self, name: str) -> list[wire.Query]:
        wanted = wire.name_octets(name).lower()
        return [query for query in list(self.queries) if query.qname.lower() == wanted]

    def sends(self) -> collections.Counter:
        """How often each question came."""
        return collections.Counter(query.key for query in list(self.queries))

    def wait_for_query(self, name: str, count: int = 1) -> wire.Query:
        wait_for(lambda: len(self.asked(name)) >= count, f"query {count} for {name} upstream")
        return self.asked(name)[count - 1]

    def assert_only_tls(self) -> None:
        """BEHAVIOUR.md §4.6: nothing but TLS came here, and nothing malformed inside it."""
        assert (self.octets_not_tls, self.datagrams, self.malformed) == (0, 0, [])


class BlackHole:
    """Connections to it never complete: its queue of connections is full and never emptied."""

    def __init__(self, address: str = "127.0.0.1", port: int | None = None):
        self.address = address
        self.port = port or ports.free_port()
        self._listener = socket.create_server((address, self.port), backlog=0)
        self._fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, self.port))
            self._fillers.append(filler)

    def url(self, auth_name: str = "dns.test") -> str:
        return f"tls://{self.address}:{self.port}#{auth_name}"

    def close(self) -> None:
        for each in [*self._fillers, self._listener]:
            each.close()

    def __enter__(self) -> "BlackHole":
        return self

    def __exit__(self, *_ignored) -> None:
        self.close()
