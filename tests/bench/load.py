"""The load benchmark: what a query costs sotto, as a multiple of what it costs a bare UDP echo.

The server under test has CPU 0 to itself, dnsperf and a DoT upstream share CPU 1. Every figure of
a server stands beside one of the echo taken right before it, because the kernel's price of a
packet changes with the machine, its mitigations and its neighbours. Run by `script/bench load`.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
import time
from typing import NamedTuple

import measure
import servers
from measure import LOAD_CPU, SERVER_CPU, spread
from scenarios import SCENARIOS, Series
from upstream import Upstream

WARM_UP_QUERIES = 5_000
STARTS = 9


class Key(NamedTuple):
    """What a series is of. upstream: its kind."""

    server: str
    scenario: str
    upstream: str


class Benchmark:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.place = servers.new_place(arguments.directory)
        self.names = measure.Names(self.place.directory)
        self.with_perf = measure.perf_counts_instructions()
        self.stack = contextlib.ExitStack()
        self.series: dict[Key, Series] = {}
        self.handshakes: dict[str, float] = {}  # seconds, by kind of upstream
        self.resident: dict[str, tuple[int, int]] = {}
        self.starts: dict[str, float] = {}
        self.last_command = ""
        self.encrypted = any(SCENARIOS[each].encrypted for each in arguments.scenarios)

    def run(self) -> None:
        with self.stack:
            echo_port = servers.ports.free_port()
            echo = servers.start(self.place, "echo", [str(self.arguments.echo), str(echo_port)],
                                 SERVER_CPU)
            self.stack.callback(echo.stop)
            for kind in self.arguments.upstream:
                self._measure_before(kind, (echo.pid, echo_port))
            if not echo.alive():
                raise RuntimeError(f"the echo ended:\n{echo.log()}")

    def _measure_before(self, kind: str, echo: tuple[int, int]) -> None:
        """All servers under test, before upstreams of that kind."""
        with contextlib.ExitStack() as stack:
            self.place.more_ports.clear()
            self.upstream = Upstream(self.place, kind, f"upstream-{kind}")
            stack.callback(self.upstream.stop)
            self.handshakes[kind] = self.upstream.handshake
            for number in range(2, self.arguments.upstreams + 1):
                self._start_another(stack, kind, number)
            for name, command in servers.tested(self.arguments).items():
                self._measure_server(name, command, echo, kind)

    def _start_another(self, stack: contextlib.ExitStack, kind: str, number: int) -> None:
        """Like the first; what reaches it is not counted."""
        port = servers.ports.free_port()
        place = dataclasses.replace(self.place, upstream_port=port, more_ports=[])
        another = Upstream(place, kind, f"upstream-{kind}-{number}")
        stack.callback(another.stop)
        self.place.more_ports.append(port)

    def _scenarios(self, kind: str) -> list[str]:
        """Hits are the same whoever answered first."""
        first = kind == self.arguments.upstream[0]
        return [each for each in self.arguments.scenarios if first or not SCENARIOS[each].hits]

    def _measure_server(self, name: str, command, echo: tuple[int, int], kind: str) -> None:
        """One server after the other: an idle neighbour still ticks and takes cache."""
        if name not in self.starts:
            self.starts[name] = statistics.median(
                self._time_start(name, command) for _ in range(STARTS))
        listen = self._new_listen(name)
        process = servers.start(self.place, name, command(self.place, listen), SERVER_CPU)
        try:
            measure.first_answer(listen.plain, "first.bench.example", patience=10)
            time.sleep(0.5)
            idle = measure.resident_kilobytes(process.pid)
            measure.dnsperf(listen.plain, self.names.file(WARM_UP_QUERIES), 100)
            for scenario in self._scenarios(kind):
                if SCENARIOS[scenario].encrypted and not listen.tls:
                    continue
                for pair in range(self.arguments.pairs):
                    self._measure_pair(Key(name, scenario, kind), (process.pid, listen), echo, pair)
            self.resident.setdefault(name, (idle, measure.resident_kilobytes(process.pid)))
        finally:
            process.stop()

    def _new_listen(self, name: str) -> servers.Listen:
        return servers.new_listen(self.encrypted and name in servers.ENCRYPTED)

    def _time_start(self, name: str, command) -> float:
        """Seconds from before the process is made to the first answer from the upstream."""
        listen = self._new_listen(name)
        port = listen.plain
        begin = time.monotonic()
        process = servers.start(self.place, name, command(self.place, listen), SERVER_CPU)
        try:
            return measure.first_answer(port, f"start-{port}.bench.example", patience=10) - begin
        finally:
            process.stop()

    def _measure_pair(self, key: Key, server: tuple[int, servers.Listen],
                      echo: tuple[int, int], pair: int) -> None:
        scenario, queries = SCENARIOS[key.scenario], self.arguments.queries
        floor = scenario.ask_echo(*echo, self.names, queries)
        scenario.warm(server[1], self.names)
        before = self.upstream.counts()
        sample = scenario.ask(*server, self.names, queries, self.with_perf)
        series = self.series.setdefault(key, Series())
        series.samples.append(sample)
        series.echoes.append(floor)
        if before is None:
            series.upstream_queries = None
        else:
            series.upstream_queries += (self.upstream.counts() - before).queries
        self.last_command = sample.load.command
        print(f"{' '.join(key)} {pair + 1}/{self.arguments.pairs}: echo "
              f"{floor.microseconds:.2f} µs, {sample.microseconds:.2f} µs, "
              f"{sample.load.lost} lost, {sample.load.failed} failed, "
              f"{sample.load.answered / sample.load.seconds:.0f} q/s, mean latency "
              f"{sample.load.latency_mean:.0f} µs, echo {floor.load.latency_mean:.0f} µs",
              file=sys.stderr)

    def report(self) -> None:
        steady = {key: series for key, series in self.series.items() if _is_steady(key)}
        full_speed = {key: series for key, series in self.series.items() if not _is_steady(key)}
        if full_speed:
            print_table(self._cost_rows(full_speed))
            print()
        if steady:
            print_table(_latency_rows(steady))
            print()
        rows = [["server", "idle MB", "after load MB", "start to first answer, ms",
                 "less the handshake, ms"]]
        main = self.arguments.upstream[0]
        handshake = self.handshakes[main] * 1_000
        for name, (idle, loaded) in self.resident.items():
            start = self.starts[name] * 1_000
            rows.append([name, f"{idle / 1_024:.1f}", f"{loaded / 1_024:.1f}", f"{start:.1f}",
                         f"{start - handshake:.1f}"])
        print_table(rows)
        print(f"\nstarts before upstream {main}, DoT, a handshake takes "
              f"{handshake:.1f} ms; server on CPU {SERVER_CPU}, upstream and dnsperf "
              f"on CPU {LOAD_CPU}; median (quartiles) of {self.arguments.pairs} pairs")
        if not self.with_perf:
            print("instructions: perf counts none on this machine")
        print(f"last: {self.last_command}")

    def _cost_rows(self, measured: dict[Key, Series]) -> list[list[str]]:
        columns = ["server", "scenario", "upstream", "CPU µs/query", "× echo", "echo µs", "lost",
                   "failed", "of", "asked upstream", "q/s", "mean latency µs"]
        if self.with_perf:
            columns += ["instructions u", "k"]
        rows = [columns]
        for key, series in measured.items():
            loads = [sample.load for sample in series.samples]
            row = [*key, spread([s.microseconds for s in series.samples]),
                   spread(series.ratios()), spread([e.microseconds for e in series.echoes]),
                   *_verdict(series),
                   f"{statistics.median(load.answered / load.seconds for load in loads):.0f}",
                   f"{statistics.median(load.latency_mean for load in loads):.0f}"]
            if self.with_perf:
                for mode in "uk":
                    counts = [sample.instructions.get(mode, 0) for sample in series.samples]
                    row.append(f"{statistics.median(counts):.0f}")
            rows.append(row)
        return rows


def _is_steady(key: Key) -> bool:
    return SCENARIOS[key.scenario].per_second > 0


def _verdict(series: Series) -> list[str]:
    loads = [sample.load for sample in series.samples]
    upstream = "not counted" if series.upstream_queries is None else str(series.upstream_queries)
    return [str(sum(load.lost for load in loads)), str(sum(load.failed for load in loads)),
            str(sum(load.asked for load in loads)), upstream]


def _latency_rows(measured: dict[Key, Series]) -> list[list[str]]:
    rows = [["server", "scenario", "q/s", "mean latency µs", "echo µs", "more than echo µs",
             "worst ms", "echo's worst ms", "lost", "failed", "of", "asked upstream"]]
    for key, series in measured.items():
        loads = [sample.load for sample in series.samples]
        echoes = [echo.load for echo in series.echoes]
        rows.append([key.server, key.scenario, str(SCENARIOS[key.scenario].per_second),
                     spread([load.latency_mean for load in loads], 0),
                     spread([load.latency_mean for load in echoes], 0),
                     spread(series.latencies_added(), 0),
                     f"{max(load.latency_max for load in loads) / 1_000:.2f}",
                     f"{max(load.latency_max for load in echoes) / 1_000:.2f}",
                     *_verdict(series)])
    return rows


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
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS,
                        default=list(SCENARIOS))
    parser.add_argument("--upstreams", type=int, default=1, help="how many, all of one kind")
    parser.add_argument("--select", choices=["fastest", "order", "random", "hash", "all"],
                        help="how sotto chooses among them; default fastest")
    parser.add_argument("--upstream", nargs="+", choices=servers.UPSTREAMS,
                        default=[kind for kind in ("unbound", "own", "knotd", "dnsdist")
                                 if servers.has_tls(kind)],
                        help="before which DoT upstreams: all scenarios before the first, misses "
                             "before the others; default: %(default)s")
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
