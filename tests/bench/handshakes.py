"""What a new DoT connection costs the server: TLS 1.3 or 1.2 with ECDSA P-256 and X25519, a query,
the close; by a full handshake, and resumed by a ticket. CPU time of sotto beside dnsdist's.

All servers run throughout on CPU 0 and are asked in turn, one connection at a time, from CPU 1.
Run by `script/bench handshakes`.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import ssl
import statistics
import subprocess
from dataclasses import dataclass

import measure
import servers
from figures import Figure, print_figures
from load import print_table
from measure import LOAD_CPU, SERVER_CPU, spread
from upstream import Upstream

from harness.encrypted import DotConnection, tls_context

NAME = "handshake.bench.example"
WARM_UP_CONNECTIONS = 100
RESUMED_TO_FULL_MAX = 0.6
RIVAL = "dnsdist"
VERSIONS = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}


@dataclass(frozen=True)
class Kind:
    version: str
    resumed: bool

    def __str__(self) -> str:
        return f"TLS {self.version}, {'resumed' if self.resumed else 'full'}"


KINDS = [Kind(version, resumed) for version in VERSIONS for resumed in (False, True)]


class Server:
    """One server under test, running."""

    def __init__(self, place: servers.Place, name: str, command):
        self.name = name
        self.listen = servers.new_listen(encrypted=True)
        self._contexts = {}
        for version, number in VERSIONS.items():
            context = tls_context(place.authority.ca_file, DotConnection.ALPN)
            context.minimum_version = context.maximum_version = number
            self._contexts[version] = context
        self._ca_file = place.authority.ca_file
        self.process = servers.start(place, name, command(place, self.listen), SERVER_CPU)
        self.costs: dict[Kind, list[float]] = {kind: [] for kind in KINDS}  # µs per connection

    def prepare(self) -> None:
        """Waits until it answers; makes sure that it shakes hands as all others do."""
        measure.first_answer(self.listen.plain, NAME, patience=10)
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.listen.tls}", "-CAfile",
                   str(self._ca_file), "-brief"]
        text = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=True, timeout=10).stderr
        for wanted in ("Protocol version: TLSv1.3", "Signature type: ECDSA",
                       "Server Temp Key: X25519", "Verification: OK"):
            if wanted not in text:
                raise RuntimeError(f"{self.name} shakes hands without “{wanted}”:\n{text}")
        self.connect(KINDS[0], WARM_UP_CONNECTIONS)

    def measure(self, kind: Kind, connections: int) -> None:
        before = measure.cpu_nanoseconds(self.process.pid)
        self.connect(kind, connections)
        spent = measure.cpu_nanoseconds(self.process.pid) - before
        self.costs[kind].append(spent / 1_000 / connections)

    def connect(self, kind: Kind, connections: int) -> None:
        """So many after each other; resumed ones by the ticket that the one before brought."""
        session = self._connect_once(kind, None) if kind.resumed else None
        for _ in range(connections):
            newest = self._connect_once(kind, session)
            if kind.resumed:
                session = newest

    def _connect_once(self, kind: Kind, session: ssl.SSLSession | None) -> ssl.SSLSession:
        context = self._contexts[kind.version]
        with DotConnection(self.listen.tls, context, session=session) as connection:
            answer = connection.ask(measure.query_octets(NAME))
            if connection.socket.session_reused != (session is not None):
                raise RuntimeError(f"{self.name} did {'not ' if session else ''}resume")
            if answer[3] & 0xF:
                raise RuntimeError(f"{self.name} failed: {answer!r}")
            return connection.socket.session


def report(tested: list[Server], connections: int) -> None:
    rows = [["server", "handshake", "CPU µs/connection", f"× {RIVAL}", "× its full"]]
    figures = []
    rival = next((server for server in tested if server.name == RIVAL), None)
    for server in tested:
        for kind in KINDS:
            to_rival = ratios(server.costs[kind], rival.costs[kind]) if rival else []
            to_full = ratios(server.costs[kind], server.costs[Kind(kind.version, False)])
            rows.append([server.name, str(kind), spread(server.costs[kind], 1),
                         spread(to_rival) if rival else "",
                         spread(to_full) if kind.resumed else ""])
            if server.name != "sotto":
                continue
            if rival:
                figures.append(Figure(f"sotto to {RIVAL}, {kind}", statistics.median(to_rival),
                                      "×", 1))
            if kind.resumed:
                figures.append(Figure(f"sotto, {kind}, to full", statistics.median(to_full), "×",
                                      RESUMED_TO_FULL_MAX))
    print_table(rows)
    print_figures(figures)
    print(f"\nmedian (quartiles) of {len(tested[0].costs[KINDS[0]])} rounds of {connections} "
          f"connections, one query each; servers on CPU {SERVER_CPU}, clients on CPU {LOAD_CPU}")


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Of each round."""
    return [mine / its for mine, its in zip(ours, theirs)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench handshakes", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/handshakes",
                        help="emptied, then filled")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=1_000, help="of each kind in a round")
    servers.add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.rivals is None and shutil.which(RIVAL):
        arguments.rivals = [RIVAL]
    servers.end_with_children()
    os.sched_setaffinity(0, {int(LOAD_CPU)})

    with contextlib.ExitStack() as stack:
        place = servers.new_place(arguments.directory)
        stack.callback(Upstream(place).stop)
        tested = []
        for name, command in servers.tested(arguments).items():
            if name in servers.ENCRYPTED:
                server = Server(place, name, command)
                stack.callback(server.process.stop)
                tested.append(server)
        for server in tested:
            server.prepare()
        for _ in range(arguments.rounds):
            for kind in KINDS:
                for server in tested:
                    server.measure(kind, arguments.connections)
    report(tested, arguments.connections)


if __name__ == "__main__":
    main()
