"""System calls per query with one query at a time, counted by strace: hits, and misses before an
upstream that answers at once. Of sotto's own threads all are counted, whatever they do meanwhile.

Run by `script/bench syscalls`.
"""

import argparse
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import measure
import servers
from load import print_table
from measure import SERVER_CPU
from upstream import Upstream


def count(pid: int, summary: pathlib.Path, work) -> dict[str, int]:
    """Calls by name that the process makes while work() runs."""
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", str(summary), "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    try:
        attached = tracer.stderr.readline()
        if "attached" not in attached:
            raise RuntimeError(f"strace: {attached}")
        work()
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    calls = {}
    for line in summary.read_text().splitlines():
        match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if match and match.group(2) != "total":
            calls[match.group(2)] = int(match.group(1))
    return calls


def ask_one_by_one(port: int, names: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(5)
        for name in names:
            client.send(measure.query_octets(name))
            client.recv(4_096)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench syscalls", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/syscalls", help="emptied, then filled")
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--upstream", choices=servers.UPSTREAMS, default="unbound")
    servers.add_arguments(parser)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if shutil.which("strace") is None:
        sys.exit("strace is not installed")
    servers.end_with_children()
    rows = [["server", "asked", "system calls per query", "which"]]
    place = servers.new_place(arguments.directory)
    upstream = Upstream(place, arguments.upstream)
    try:
        for name, command in servers.tested(arguments).items():
            listen = servers.new_listen()
            process = servers.start(place, name, command(place, listen), SERVER_CPU)
            try:
                measure.first_answer(listen.plain, "hot.bench.example", patience=10)
                mark = f"{time.time_ns():x}"
                asked = {"hits": ["hot.bench.example"] * arguments.queries,
                         "misses": [f"s{index}.{mark}.bench.example"
                                    for index in range(arguments.queries)]}
                for what, names in asked.items():
                    calls = count(process.pid, place.directory / f"strace-{name}-{what}",
                                  lambda: ask_one_by_one(listen.plain, names))
                    often = sorted(calls.items(), key=lambda item: -item[1])
                    rows.append([name, what,
                                 f"{sum(calls.values()) / arguments.queries:.2f}",
                                 ", ".join(f"{call} {number / arguments.queries:.2f}"
                                           for call, number in often
                                           if number * 100 >= arguments.queries)])
            finally:
                process.stop()
    finally:
        upstream.stop()
    print_table(rows)


if __name__ == "__main__":
    main()
