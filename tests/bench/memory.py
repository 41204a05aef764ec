"""What the cache does with memory, through the real server: octets per entry, the budget kept and
used well under ten million names, and the first answer of a start with a million saved entries.

sotto has CPU 0, dnsperf and the upstream share CPU 1. Run by `script/bench memory`.
"""

import argparse
import contextlib
import itertools
import pathlib
import random
import statistics
import time
from collections.abc import Iterator

import measure
import servers
from figures import Figure, print_figures
from measure import SERVER_CPU, spread
from upstream import Upstream

ENTRIES = 1_000_000
ROOMY = "512MiB"  # far more than a million entries take
OUTSTANDING = 500

BUDGET_MEBIBYTES = 64
FILLING_NAMES = 1_000_000  # more than fit into the budget
HOT_NAMES = 10_000
# Of 20 queries three are for hot names: 15 %. While as many names pass by as the budget holds,
# each of them is asked about ten times.
COLD_IN_A_ROW, HOT_IN_A_ROW = 17, 3

CHUNK_NAMES = 250_000  # of a run of dnsperf
SAMPLE_NAMES = 1_000
LOAD_SECONDS_MAX = 60  # until a saved cache is back


def cold_names(chunk: int) -> Iterator[str]:
    """Of 30 octets each, and random, but the same for the same chunk."""
    source = random.Random(chunk)
    return (f"{source.getrandbits(56):014x}.bench.example A\n" for _ in range(CHUNK_NAMES))


def hot_name(index: int) -> str:
    return f"hot{index:011x}.bench.example A\n"


def mixed_names(chunk: int) -> Iterator[str]:
    source = random.Random(~chunk)
    cold = cold_names(chunk)
    while row := list(itertools.islice(cold, COLD_IN_A_ROW)):
        yield from row
        yield from (hot_name(source.randrange(HOT_NAMES)) for _ in range(HOT_IN_A_ROW))


def chunks_of(names: int) -> range:
    return range((names + CHUNK_NAMES - 1) // CHUNK_NAMES)


class Benchmark:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.place = servers.new_place(arguments.directory)
        self.upstream = Upstream(self.place)

    def ask(self, port: int, names: Iterator[str]) -> measure.Load:
        path = self.place.directory / "names"
        with path.open("w") as file:
            file.writelines(names)
        return measure.dnsperf(port, path, OUTSTANDING)

    def command(self, size: str, file: str = ""):
        return servers.sotto(self.arguments.binary, f"""
[cache]
size = "{size}"
file = "{file}"
save_interval = "0s"

[control]
socket = ""
""")

    @contextlib.contextmanager
    def running(self, size: str, file: str = ""):
        """Yields the process, its port, and what memory it took right after the start, in kB."""
        port = servers.ports.free_port()
        command = self.command(size, file)(self.place, servers.Listen(port))
        process = servers.start(self.place, "sotto", command, SERVER_CPU)
        try:
            measure.first_answer(port, "first.bench.example", patience=10)
            yield process, port, measure.resident_kilobytes(process.pid)
        finally:
            process.stop()

    # --- octets per entry ---

    def entries(self) -> list[Figure]:
        with self.running(ROOMY) as (process, port, idle):
            for chunk in chunks_of(ENTRIES):
                self.ask(port, cold_names(chunk))
            filled = measure.resident_kilobytes(process.pid)
            before = self.upstream.counts()
            for chunk in chunks_of(ENTRIES):
                self.ask(port, cold_names(chunk))
            missing = (self.upstream.counts() - before).queries
        kept = ENTRIES - missing
        return [Figure("memory of an entry", (filled - idle) * 1_024 / kept, "octets", 200,
                       note=f"{kept} entries in {(filled - idle) / 1_024:.1f} MiB")]

    # --- the budget ---

    def budget(self) -> list[Figure]:
        with self.running(f"{BUDGET_MEBIBYTES}MiB") as (process, port, idle):
            chunks = list(chunks_of(FILLING_NAMES + self.arguments.names))
            filling = len(chunks_of(FILLING_NAMES))
            before, lost = None, 0
            for chunk in chunks:
                if chunk == filling:
                    before = self.upstream.counts()
                load = self.ask(port, mixed_names(chunk))
                lost += load.lost
                print(f"{(chunk + 1) * CHUNK_NAMES} names, "
                      f"{load.answered / load.seconds:.0f} q/s, "
                      f"{measure.resident_kilobytes(process.pid) / 1_024:.1f} MiB", flush=True)
            counted = self.upstream.counts() - before
            peak = measure.resident_kilobytes(process.pid, peak=True)
        rows = -(-CHUNK_NAMES // COLD_IN_A_ROW)
        hot_asked = (len(chunks) - filling) * rows * HOT_IN_A_ROW
        return [
            Figure("memory at its peak less idle", (peak - idle) / 1_024, "MiB",
                   1.05 * BUDGET_MEBIBYTES + 2, note=f"cache.size {BUDGET_MEBIBYTES}MiB"),
            Figure("hit ratio of the hot names", 100 * (1 - counted.hot / hot_asked), "%", 99,
                   at_least=True, note=f"{counted.hot} of {hot_asked} reached the upstream, "
                                       f"{lost} lost, {counted.queries} names passed"),
        ]

    # --- starting with a saved cache ---

    def start(self) -> list[Figure]:
        saved = self.place.directory / "cache.saved"
        with self.running(ROOMY, str(saved)) as (_, port, _):
            for chunk in chunks_of(ENTRIES):
                self.ask(port, cold_names(chunk))
        octets = saved.stat().st_size
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(self.arguments.starts):
            for with_file in (False, True):
                times[with_file].append(self._time_start(saved if with_file else None) * 1_000)
        back = self._time_until_back(saved)
        ratio = statistics.median(times[True]) / statistics.median(times[False])
        return [Figure("start with a saved cache to start without", ratio, "×", 1.05,
                       note=f"{spread(times[True])} ms, {spread(times[False])} ms; "
                            f"{octets / 1_048_576:.0f} MiB, all back after {back:.1f} s")]

    def _start_with(self, file: pathlib.Path | None):
        port = servers.ports.free_port()
        absent = self.place.directory / "cache.absent"
        command = self.command(ROOMY, str(file or absent))(self.place, servers.Listen(port))
        return servers.start(self.place, "sotto", command, SERVER_CPU), port

    def _time_start(self, file: pathlib.Path | None) -> float:
        begin = time.monotonic()
        process, port = self._start_with(file)
        try:
            return measure.first_answer(port, f"start-{port}.bench.example", patience=10) - begin
        finally:
            process.kill()  # so that the file stays as it is

    def _time_until_back(self, file: pathlib.Path) -> float:
        """Seconds from the start until names that were saved are hits."""
        begin = time.monotonic()
        process, port = self._start_with(file)
        try:
            measure.first_answer(port, f"start-{port}.bench.example", patience=10)
            names = itertools.chain.from_iterable(map(cold_names, chunks_of(ENTRIES)))
            while sample := list(itertools.islice(names, SAMPLE_NAMES)):
                before = self.upstream.counts()
                self.ask(port, iter(sample))
                if (self.upstream.counts() - before).queries == 0:
                    return time.monotonic() - begin
                if time.monotonic() - begin > LOAD_SECONDS_MAX:
                    break
            raise RuntimeError(f"the saved cache did not come back:\n{process.log()}")
        finally:
            process.kill()


PARTS = {"entries": Benchmark.entries, "budget": Benchmark.budget, "start": Benchmark.start}


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench memory", description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path,
                        default=servers.ROOT / "build/release/sotto")
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/memory", help="emptied, then filled")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--names", type=int, default=10_000_000,
                        help="that pass by the hot ones, once the budget is used up")
    parser.add_argument("--starts", type=int, default=9, help="with and without a saved cache")
    arguments = parser.parse_args()

    servers.end_with_children()
    benchmark = Benchmark(arguments)
    try:
        figures = [figure for part in arguments.parts for figure in PARTS[part](benchmark)]
    finally:
        benchmark.upstream.stop()
    print_figures(figures)
    print(f"\nsotto on CPU {SERVER_CPU}, upstream and dnsperf on CPU {measure.LOAD_CPU}; names of "
          "30 octets, an A record each, no authority section")


if __name__ == "__main__":
    main()
