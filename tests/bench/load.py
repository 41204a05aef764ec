"""The load benchmark: what a query costs sotto, as a multiple of what it costs a bare UDP echo.

The server under test has CPU 0 to itself, dnsperf and a DoT upstream share CPU 1. Every figure of
a server stands beside one of the echo taken right before it, because the kernel's price of a
packet changes with the machine, its mitigations and its neighbours. Run by `script/bench load`.
"""

import argparse
import contextlib
import pathlib
import socket
import ssl
import statistics
import sys
import time
from dataclasses import dataclass, field

import measure
import servers
from measure import LOAD_CPU, SERVER_CPU, Sample, spread

ECHO_OUTSTANDING = 1_000  # where batching makes it cheapest: the floor, whatever the scenario
ECHO_QUERIES = 300_000
WARM_UP_QUERIES = 5_000
STARTS = 9
MISSES = {"miss-500": 500, "miss-20": 20, "miss-1000": 1_000}  # queries outstanding


@dataclass
class Series:
    """All samples of one server in one scenario, each with the echo's microseconds beside it."""

    samples: list[Sample] = field(default_factory=list)
    echoes: list[float] = field(default_factory=list)

    def ratios(self) -> list[float]:
        return [sample.microseconds / echo for sample, echo in zip(self.samples, self.echoes)]


class Benchmark:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.place = servers.new_place(arguments.directory)
        self.names = measure.Names(self.place.directory)
        self.with_perf = measure.perf_counts_instructions()
        self.stack = contextlib.ExitStack()
        self.series: dict[tuple[str, str], Series] = {}
        self.resident: dict[str, tuple[int, int]] = {}
        self.starts: dict[str, float] = {}
        self.handshake = 0.0
        self.last_command = ""

    def run(self) -> None:
        with self.stack:
            self._start("upstream", servers.UPSTREAMS[self.arguments.upstream](self.place),
                        LOAD_CPU)
            self._await_upstream()
            echo_port = servers.ports.free_port()
            echo = self._start("echo", [str(self.arguments.echo), str(echo_port)], SERVER_CPU)
            for name, command in servers.tested(self.arguments).items():
                self._measure_server(name, command, (echo.pid, echo_port))
            if not echo.alive():
                raise RuntimeError(f"the echo ended:\n{echo.log()}")

    def _start(self, name: str, command: list[str], cpu: str):
        process = servers.start(self.place, name, command, cpu)
        self.stack.callback(process.stop)
        return process

    def _await_upstream(self) -> None:
        """Waits for the upstream, then takes the median of what a handshake with it lasts."""
        context = ssl.create_default_context(cafile=str(self.place.authority.ca_file))
        times = []
        deadline = time.monotonic() + 10
        while len(times) < 9:
            begin = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.place.upstream_port)) as stream:
                    with context.wrap_socket(stream, server_hostname=servers.AUTH_NAME):
                        times.append(time.monotonic() - begin)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.handshake = statistics.median(times)

    def _measure_server(self, name: str, command, echo: tuple[int, int]) -> None:
        """One server after the other: an idle neighbour still ticks and takes cache."""
        self.starts[name] = statistics.median(
            self._time_start(name, command) for _ in range(STARTS))
        port = servers.ports.free_port()
        process = servers.start(self.place, name, command(self.place, port), SERVER_CPU)
        try:
            measure.first_answer(port, "first.bench.example", patience=10)
            time.sleep(0.5)
            idle = measure.resident_kilobytes(process.pid)
            measure.dnsperf(port, self.names.file(WARM_UP_QUERIES), 100)
            for pair in range(self.arguments.pairs):
                for scenario in self.arguments.scenarios:
                    self._measure_pair(name, scenario, (process.pid, port), echo, pair)
            self.resident[name] = (idle, measure.resident_kilobytes(process.pid))
        finally:
            process.stop()

    def _time_start(self, name: str, command) -> float:
        """Seconds from before the process is made to the first answer from the upstream."""
        port = servers.ports.free_port()
        begin = time.monotonic()
        process = servers.start(self.place, name, command(self.place, port), SERVER_CPU)
        try:
            return measure.first_answer(port, f"start-{port}.bench.example", patience=10) - begin
        finally:
            process.stop()

    def _measure_pair(self, name: str, scenario: str, server: tuple[int, int],
                      echo: tuple[int, int], pair: int) -> None:
        floor = measure.under_load(*echo, self.names.file(ECHO_QUERIES), ECHO_OUTSTANDING, False)
        names = self.names.file(self.arguments.queries)
        sample = measure.under_load(*server, names, MISSES[scenario], self.with_perf)
        series = self.series.setdefault((name, scenario), Series())
        series.samples.append(sample)
        series.echoes.append(floor.microseconds)
        self.last_command = sample.load.command
        print(f"{name} {scenario} {pair + 1}/{self.arguments.pairs}: echo "
              f"{floor.microseconds:.2f} µs, {sample.microseconds:.2f} µs, "
              f"{sample.load.lost} lost, {sample.load.failed} failed, "
              f"{sample.load.answered / sample.load.seconds:.0f} q/s", file=sys.stderr)

    def report(self) -> None:
        columns = ["server", "scenario", "CPU µs/query", "× echo", "echo µs", "lost", "failed",
                   "of", "q/s"]
        if self.with_perf:
            columns += ["instructions u", "k"]
        rows = [columns]
        for (name, scenario), series in self.series.items():
            loads = [sample.load for sample in series.samples]
            row = [name, scenario, spread([s.microseconds for s in series.samples]),
                   spread(series.ratios()), spread(series.echoes),
                   str(sum(load.lost for load in loads)), str(sum(load.failed for load in loads)),
                   str(sum(load.asked for load in loads)),
                   f"{statistics.median(load.answered / load.seconds for load in loads):.0f}"]
            if self.with_perf:
                for mode in "uk":
                    counts = [sample.instructions.get(mode, 0) for sample in series.samples]
                    row.append(f"{statistics.median(counts):.0f}")
            rows.append(row)
        print_table(rows)
        print()
        rows = [["server", "idle MB", "after load MB", "start to first answer, ms",
                 "less the handshake, ms"]]
        for name, (idle, loaded) in self.resident.items():
            start = self.starts[name] * 1_000
            rows.append([name, f"{idle / 1_024:.1f}", f"{loaded / 1_024:.1f}", f"{start:.1f}",
                         f"{start - self.handshake * 1_000:.1f}"])
        print_table(rows)
        print(f"\nupstream: {self.arguments.upstream}, DoT, a handshake takes "
              f"{self.handshake * 1_000:.1f} ms; server on CPU {SERVER_CPU}, upstream and dnsperf "
              f"on CPU {LOAD_CPU}; median (quartiles) of {self.arguments.pairs} pairs")
        if not self.with_perf:
            print("instructions: perf counts none on this machine")
        print(f"last: {self.last_command}")


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print("  ".join(cells).rstrip())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench load", description=__doc__)
    parser.add_argument("--echo", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/tests/bench/udp_echo")
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/load", help="emptied, then filled")
    parser.add_argument("--pairs", type=int, default=3, help="9 for a figure you quote")
    parser.add_argument("--queries", type=int, default=200_000, help="in each run")
    parser.add_argument("--scenarios", nargs="+", choices=MISSES, default=list(MISSES))
    parser.add_argument("--upstream", choices=servers.UPSTREAMS, default="own")
    servers.add_arguments(parser)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    servers.end_with_children()
    benchmark = Benchmark(arguments)
    benchmark.run()
    benchmark.report()


if __name__ == "__main__":
    main()
