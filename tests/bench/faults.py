"""How many queries fail, and how long they take, while upstreams and the path to them misbehave.

5,000 fresh names at 500 a second, every answer checked; failed is what has no answer within 5 s or
another RCODE than NOERROR. The server under test has CPU 0, everything else CPU 1. Run by
`script/bench faults`.
"""

import argparse
import contextlib
import gc
import os
import pathlib
import resource
import shutil
import sys
import time
from dataclasses import dataclass

import measure
import servers
from faults_load import Client, Result, name_of, steady
from faults_network import LOSS, NETWORK_ROWS, measure_network_row
from faults_rows import PER_SECOND, ROWS, Row, Targets
from faults_world import NAMES, Seen, WorldProcess
from harness import netns
from load import print_table
from measure import LOAD_CPU, SERVER_CPU

WARM_UP_QUERIES = 1_000
START_SECONDS_MAX = 10
NORMAL_SECONDS = 0.045  # what is answered within it was not delayed by a fault
LOSS_RATIO_MAX = 0.5  # of unbound's p99 in the same run
COLUMNS = ["fault", "server", "failed", "wrong", "p50 ms", "p99", "max", "new connections",
           "extra queries %", "verdict"]


@dataclass(frozen=True)
class Measured:
    """Of one server in one row."""

    figures: dict[str, float]  # by the names of Targets' fields
    note: str = ""

    def verdict(self, targets: Targets) -> str:
        parts = []
        for name, bound in vars(targets).items():
            value = self.figures.get(name)
            if bound is None or value is None:
                continue
            if value > bound:
                parts.append(f"{name} {value:.0f} > {bound:g}")
        return "MISS: " + ", ".join(parts) if parts else "ok"

    def cells(self, row: str, server: str, targets: Targets) -> list[str]:
        shown = {name: f"{value:.1f}" if name in ("p50", "p99", "max", "extra") else f"{value:.0f}"
                 for name, value in self.figures.items()}
        verdict = "; ".join(filter(None, (self.verdict(targets), self.note)))
        return [row, server, *(shown.get(name, "") for name in (
            "failed", "wrong", "p50", "p99", "max", "connections", "extra")), verdict]


def await_start(port: int, process, answers: bool) -> None:
    """Until it answers, or at least listens if no answer can be expected."""
    if answers:
        measure.first_answer(port, name_of(NAMES - 1), patience=START_SECONDS_MAX)
        return
    wanted = f":{port:04X} "
    process.wait_until(lambda: wanted in pathlib.Path("/proc/net/udp").read_text(), "listening")


def evaluate(row: Row, result: Result, seen: Seen) -> Measured:
    asked = len(result.sent)
    figures = {"failed": result.failed, "wrong": result.wrong, "p50": result.median(),
               "p99": result.percentile(99), "max": result.latencies()[-1],
               "connections": seen.connections, "extra": (seen.queries - asked) / asked * 100}
    note = ""
    if result.unanswered:
        note = f"{result.unanswered} unanswered"
    if row.fault_ends is not None:
        recovery = result.back_to_normal(row.fault_ends, NORMAL_SECONDS) * 1_000
        figures["recovery"] = recovery
        note = f"as before {recovery:.0f} ms after its return"
    if row.servfail_wanted:
        told = sum(rcode == 2 and with_ede for rcode, with_ede in
                   zip(result.rcodes, result.with_ede))
        figures.update(failed=asked - told, wrong=result.wrong + result.with_data)
        figures.pop("extra")
        note = f"{told} SERVFAIL with EDE, {result.unanswered} unanswered"
    return Measured(figures, note)


def measure_row(row: Row, name: str, command, directory: pathlib.Path) -> Measured:
    place = servers.new_place(directory)
    place.more_ports = [servers.ports.free_port() for _ in range(row.upstreams - 1)]
    port = servers.ports.free_port()
    leaf = row.leaf(place.authority) if row.leaf else None
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(WorldProcess(
            place, fake=row.fake, leaf=leaf, before=row.before, script=row.script,
            server_port=port))
        process = servers.start(place, name, command(place, servers.Listen(port)), SERVER_CPU)
        stack.callback(process.stop)
        await_start(port, process, answers=not row.servfail_wanted)
        client = stack.enter_context(contextlib.closing(Client("127.0.0.1", port, row.over_tcp)))
        if not row.servfail_wanted:
            client.load(steady(WARM_UP_QUERIES, PER_SECOND), first_name=0)
        before = world.seen()
        result = client.load(row.times, WARM_UP_QUERIES, world.begin)
        during = world.seen().connections
        world.do("release")
        time.sleep(0.3)
        seen = world.seen() - before
        return evaluate(row, result, Seen(seen.queries, during - before.connections))


def check_driver(echo: pathlib.Path, directory: pathlib.Path) -> str:
    """What the client itself adds: the same load against a bare echo."""
    place = servers.new_place(directory)
    port = servers.ports.free_port()
    process = servers.start(place, "echo", [str(echo), str(port)], SERVER_CPU)
    try:
        measure.first_answer(port, name_of(0), patience=START_SECONDS_MAX)
        with contextlib.closing(Client("127.0.0.1", port, echoed=True)) as client:
            result = client.load(steady(2_000, PER_SECOND), 0)
    finally:
        process.stop()
    return (f"the client against a bare echo: p50 {result.median():.2f} ms, "
            f"p99 {result.percentile(99):.2f} ms, max {result.latencies()[-1]:.2f} ms")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench faults", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS | NETWORK_ROWS, metavar="ROW",
                        default=[*ROWS, *NETWORK_ROWS],
                        help=", ".join([*ROWS, *NETWORK_ROWS]))
    parser.add_argument("--echo", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/tests/bench/udp_echo")
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/faults")
    servers.add_arguments(parser)
    return parser.parse_args()


def prepare() -> None:
    servers.end_with_children()
    os.sched_setaffinity(0, {int(LOAD_CPU)})
    # As on an idle machine, if that is allowed: neighbours do not delay anybody who takes part.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(0.0005)
    gc.disable()


class Table:
    """Measures row by row; what is known so far is shown at once."""

    def __init__(self, arguments: argparse.Namespace):
        self._arguments = arguments
        self.rows = [COLUMNS]
        self._loss: dict[str, float] = {}  # p99 by server

    def measure(self, key: str) -> None:
        row = (ROWS | NETWORK_ROWS)[key]
        tested = servers.tested(self._arguments)
        if key == LOSS and "unbound" not in tested and shutil.which("unbound"):
            tested["unbound"] = servers.RIVALS["unbound"]
        for name, command in tested.items():
            if key in NETWORK_ROWS and row.by_clock and name != "sotto":
                continue
            try:
                self._show(self._cells(key, row, name, command))
            except (RuntimeError, AssertionError, OSError) as error:
                reason = str(error).splitlines()[0] if str(error) else repr(error)
                self._show([row.title, name, *[""] * 7, f"not measured: {reason}"])
            gc.collect()
        if key == LOSS and {"sotto", "unbound"} <= self._loss.keys():
            ratio = self._loss["sotto"] / self._loss["unbound"]
            verdict = "ok" if ratio <= LOSS_RATIO_MAX else f"MISS: {LOSS_RATIO_MAX:g} is the bound"
            self.rows[-1][-1] += f"; sotto's p99 is {ratio:.2f} of unbound's, {verdict}"

    def _cells(self, key: str, row, name: str, command) -> list[str]:
        directory = self._arguments.directory
        if key in NETWORK_ROWS:
            if reason := netns.missing():
                raise RuntimeError(reason)
            measured = measure_network_row(row, name, command, directory, evaluate)
            if key != LOSS:  # what is asked between the rounds is no extra query
                measured.figures.pop("extra")
        else:
            measured = measure_row(row, name, command, directory)
        if key == LOSS:
            self._loss[name] = measured.figures["p99"]
        return measured.cells(row.title, name, row.targets)

    def _show(self, cells: list[str]) -> None:
        print("  ".join(cells), file=sys.stderr)
        self.rows.append(cells)


def main() -> None:
    arguments = parse()
    prepare()
    driver = check_driver(arguments.echo, arguments.directory)
    print(driver, file=sys.stderr)
    table = Table(arguments)
    for key in arguments.rows:
        table.measure(key)
    print_table(table.rows)
    print(f"\n{driver}")
    print("verdict: against the bounds asked of sotto, whoever is measured")


if __name__ == "__main__":
    main()
