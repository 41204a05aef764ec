"""User-space instructions per UDP hit, counted by callgrind: the difference between two runs that
ask the same names a different number of times, so that the start does not count.

Run by `script/bench instructions`.
"""

import argparse
import pathlib
import re
import shutil
import sys

import measure
import servers
from measure import SERVER_CPU
from upstream import Upstream

HOT_NAMES = 1_000
ROUNDS = (10, 60)  # of the two runs
START_SECONDS_MAX = 60  # valgrind is slow


def run(place: servers.Place, binary: pathlib.Path, rounds: int, outstanding: int) -> int:
    """Instructions of a whole run."""
    listen = servers.new_listen()
    profile = place.directory / f"callgrind.{rounds}"
    process = servers.start(
        place, f"callgrind-{rounds}",
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}",
         *servers.sotto(binary)(place, listen)], SERVER_CPU)
    try:
        measure.first_answer(listen.plain, "first.bench.example", patience=START_SECONDS_MAX)
        names = measure.Names(place.directory).hot(HOT_NAMES)
        measure.dnsperf(listen.plain, names, outstanding)
        load = measure.dnsperf(listen.plain, names, outstanding, rounds=rounds)
        if load.lost or load.failed:
            raise RuntimeError(f"{load.lost} queries were lost, {load.failed} failed")
    finally:
        process.stop()
    return int(re.findall(r"^(?:summary|totals): (\d+)", profile.read_text(), re.MULTILINE)[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench instructions", description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path,
                        default=servers.ROOT / "build/release/sotto")
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/instructions",
                        help="emptied, then filled; callgrind_annotate reads what is there")
    parser.add_argument("--outstanding", type=int, default=64)
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed")
    servers.end_with_children()
    place = servers.new_place(arguments.directory)
    upstream = Upstream(place, "unbound")
    try:
        few, many = (run(place, arguments.binary, rounds, arguments.outstanding)
                     for rounds in ROUNDS)
    finally:
        upstream.stop()
    hits = (ROUNDS[1] - ROUNDS[0]) * HOT_NAMES
    print(f"{(many - few) / hits:.0f} instructions per hit, {arguments.outstanding} outstanding")


if __name__ == "__main__":
    main()
