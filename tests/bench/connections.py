"""What connections of clients that ask little cost: memory of idle ones over DoT and DoH, UDP hits
beside 20,000 idle ones, and new clients beside 10,000 that never finish their TLS hello.

sotto has CPU 0; the clients, dnsperf and the upstream share CPU 1. Run by `script/bench
connections`.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import select
import socket
import statistics
import sys
import time
from collections.abc import Iterator

import measure
import servers
from figures import Figure, print_figures
from measure import LOAD_CPU, SERVER_CPU, spread
from scenarios import SCENARIOS
from upstream import Upstream

from harness.encrypted import DohConnection, DotConnection, tls_context

NAME = "connections.bench.example"
WARM_UP_CONNECTIONS = 200  # what the first ones alone cost is not theirs
DESCRIPTORS_SPARE = 100  # what a server and the clients' process hold besides connections
HELD = 20_000
STALLED = 10_000
STALLED_PER_ADDRESS = 900  # below the default of tcp.connections_per_client_max
NEW_CLIENTS = 20
GONE_SECONDS_MAX = 60  # of stalled clients, until measuring is given up
# The start of a ClientHello: a record of 512 octets of which some are there.
STALLED_HELLO = bytes.fromhex("1603010200 010001fc0303") + b"\xaa" * 32

# Connections stay; there is room for all of them.
ROOM = """
[tcp]
idle_timeout = "1h"
connections_max = 100000
connections_per_client_max = 100000

[control]
socket = ""
"""


class Server:
    """A sotto under test, running."""

    def __init__(self, place: servers.Place, binary: pathlib.Path, settings: str):
        self.listen = servers.new_listen(encrypted=True)
        command = servers.sotto(binary, settings, 'admin = ""')
        self.process = servers.start(place, f"sotto-{self.listen.plain}",
                                     command(place, self.listen), SERVER_CPU)
        measure.first_answer(self.listen.plain, NAME, patience=10)
        self._contexts = {kind: tls_context(place.authority.ca_file, kind.ALPN)
                          for kind in (DotConnection, DohConnection)}

    def connect(self, kind: type) -> DotConnection | DohConnection:
        """A new connection that was of use once."""
        port = self.listen.tls if kind is DotConnection else self.listen.https
        connection = kind(port, self._contexts[kind])
        answer = connection.ask(measure.query_octets(NAME))
        if answer[3] & 0xF:
            raise RuntimeError(f"failed: {answer!r}")
        return connection

    def hold(self, kind: type, count: int) -> list[socket.socket]:
        return [self.connect(kind).detach() for _ in range(count)]

    def resident_octets(self) -> int:
        return measure.resident_kilobytes(self.process.pid) * 1_024


class Benchmark:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.place = servers.new_place(arguments.directory)
        self.upstream = Upstream(self.place)

    @contextlib.contextmanager
    def running(self, settings: str) -> Iterator[Server]:
        server = Server(self.place, self.arguments.binary, settings)
        try:
            yield server
        finally:
            server.process.stop()

    # --- memory ---

    def idle(self) -> list[Figure]:
        return [self._idle("DoT", DotConnection, 16), self._idle("DoH", DohConnection, 24)]

    def _idle(self, what: str, kind: type, target: float) -> Figure:
        count = self.arguments.idle
        with self.running(ROOM) as server:
            close_all(server.hold(kind, WARM_UP_CONNECTIONS))
            before = server.resident_octets()
            held = server.hold(kind, count)
            during = server.resident_octets()
            if ended(held):
                raise RuntimeError("idle connections were closed")
            close_all(held)
            server.connect(kind).socket.close()
            after = server.resident_octets()
        return Figure(f"memory of an idle {what} connection", (during - before) / count / 1_024,
                      "KiB", target, note=f"{count} of them: {before / 2**20:.1f} MiB before, "
                      f"{during / 2**20:.1f} with, {after / 2**20:.1f} after")

    # --- UDP hits beside idle connections ---

    def held(self) -> list[Figure]:
        """Two sottos, asked in turn; only one holds connections."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        count = min(HELD, limit - DESCRIPTORS_SPARE)
        names = measure.Names(self.place.directory)
        scenario = SCENARIOS["hit-1000"]
        echo_port = servers.ports.free_port()
        with contextlib.ExitStack() as stack:
            echo = servers.start(self.place, "echo", [str(self.arguments.echo), str(echo_port)],
                                 SERVER_CPU)
            stack.callback(echo.stop)
            alone = stack.enter_context(self.running(ROOM))
            burdened = stack.enter_context(self.running(ROOM))
            held = burdened.hold(DotConnection, count)
            stack.callback(close_all, held)
            ratios: dict[Server, list[float]] = {alone: [], burdened: []}
            for _ in range(self.arguments.pairs):
                for server, measured in ratios.items():
                    measured.append(self._hits(server, scenario, names, (echo.pid, echo_port)))
            if ended(held):
                raise RuntimeError(f"{len(ended(held))} of {count} connections were not held")
        dearer = statistics.median(
            one / other for one, other in zip(ratios[burdened], ratios[alone]))
        return [Figure(f"UDP hits beside {count} idle DoT connections, to without", dearer, "×",
                       1.1, note=f"{spread(ratios[burdened])} and {spread(ratios[alone])} × echo")]

    def _hits(self, server: Server, scenario, names: measure.Names,
              echo: tuple[int, int]) -> float:
        floor = scenario.ask_echo(*echo, names, self.arguments.queries)
        scenario.warm(server.listen, names)
        sample = scenario.ask(server.process.pid, server.listen, names, self.arguments.queries,
                              False)
        return sample.microseconds / floor.microseconds

    # --- stalled hellos ---

    def stalled(self) -> list[Figure]:
        """With the limits of the default configuration: the stalled fill all places there are."""
        with self.running('[control]\nsocket = ""\n') as server:
            begin = time.monotonic()
            stalled = [self._stall(server.listen.tls, index) for index in range(STALLED)]
            opened = time.monotonic()
            times = []
            for _ in range(NEW_CLIENTS):
                before = time.monotonic()
                server.connect(DotConnection).socket.close()
                times.append((time.monotonic() - before) * 1_000)
            left = len(stalled) - len(ended(stalled))
            gone = wait_until_ended(stalled)
            close_all(stalled)
        return [
            Figure(f"slowest of {NEW_CLIENTS} new clients beside {STALLED} in a stalled hello",
                   max(times), "ms", 100,
                   note=f"{spread(times, 1)} ms; {left} stalled were still there, which came "
                        f"within {opened - begin:.1f} s"),
            Figure("the last stalled one is gone after", gone - opened, "s", 10),
        ]

    def _stall(self, port: int, index: int) -> socket.socket:
        address = f"127.0.1.{1 + index // STALLED_PER_ADDRESS}"
        stream = socket.create_connection(("127.0.0.1", port), timeout=10,
                                          source_address=(address, 0))
        stream.sendall(STALLED_HELLO)
        return stream


def close_all(held: list[socket.socket]) -> None:
    for each in held:
        each.close()


def ended(held: list[socket.socket]) -> list[socket.socket]:
    """Those that the server has closed."""
    poller = select.poll()
    by_number = {each.fileno(): each for each in held}
    for number in by_number:
        poller.register(number, select.POLLRDHUP)
    return [by_number[number] for number, _ in poller.poll(0)]


def wait_until_ended(held: list[socket.socket]) -> float:
    """Returns when the server had closed all of them (monotonic seconds)."""
    left = {each.fileno() for each in held}
    deadline = time.monotonic() + GONE_SECONDS_MAX
    with select.epoll() as poller:
        for number in left:
            poller.register(number, select.EPOLLRDHUP)
        while left:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(left)} stalled connections stayed")
            for number, _ in poller.poll(1):
                poller.unregister(number)
                left.discard(number)
    return time.monotonic()


PARTS = {"idle": Benchmark.idle, "held": Benchmark.held, "stalled": Benchmark.stalled}


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench connections", description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path,
                        default=servers.ROOT / "build/release/sotto")
    parser.add_argument("--echo", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/tests/bench/udp_echo")
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/connections",
                        help="emptied, then filled")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--idle", type=int, default=5_000, help="connections of each kind")
    parser.add_argument("--pairs", type=int, default=5, help="of UDP hits with and without")
    parser.add_argument("--queries", type=int, default=200_000, help="in each run of UDP hits")
    arguments = parser.parse_args()

    servers.end_with_children()
    os.sched_setaffinity(0, {int(LOAD_CPU)})
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    benchmark = Benchmark(arguments)
    figures = []
    try:
        for part in arguments.parts:
            print(part, file=sys.stderr)
            figures += PARTS[part](benchmark)
    finally:
        benchmark.upstream.stop()
    print_figures(figures)
    print(f"\nsotto on CPU {SERVER_CPU}, clients, dnsperf and upstream on CPU {LOAD_CPU}")


if __name__ == "__main__":
    main()
