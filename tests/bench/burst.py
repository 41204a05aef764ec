"""How long a burst of queries takes after a pause: when its last answer comes, before upstreams of
several kinds. Servers that wait for acknowledgements, or for a record each, show here.

Run by `script/bench burst`.
"""

import argparse
import pathlib
import socket
import statistics
import time
from dataclasses import dataclass

import measure
import servers
from load import print_table
from measure import SERVER_CPU
from upstream import Upstream

PATIENCE_SECONDS = 3  # for answers that do not come


@dataclass(frozen=True)
class Burst:
    answered: int
    last_ms: float  # from the first query to the last answer


def ask(port: int, queries: list[bytes]) -> Burst:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(PATIENCE_SECONDS)
        begin = last = time.monotonic()
        for query in queries:
            client.send(query)
        answered = 0
        try:
            while answered < len(queries):
                client.recv(4_096)
                last = time.monotonic()
                answered += 1
        except TimeoutError:
            pass
    return Burst(answered, (last - begin) * 1_000)


def measure_server(place: servers.Place, name: str, command,
                   arguments: argparse.Namespace) -> list[Burst]:
    listen = servers.new_listen()
    process = servers.start(place, name, command(place, listen), SERVER_CPU)
    try:
        measure.first_answer(listen.plain, "first.bench.example", patience=10)
        bursts = []
        for number in range(arguments.bursts):
            time.sleep(arguments.pause)
            mark = f"{number}.{time.time_ns():x}"
            bursts.append(ask(listen.plain, [
                measure.query_octets(f"b{index}.{mark}.bench.example", index)
                for index in range(arguments.queries)]))
        return bursts
    finally:
        process.stop()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench burst", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/burst", help="emptied, then filled")
    parser.add_argument("--bursts", type=int, default=10)
    parser.add_argument("--queries", type=int, default=20, help="in each burst")
    parser.add_argument("--pause", type=float, default=1, help="seconds before each burst")
    parser.add_argument("--upstream", nargs="+", choices=servers.UPSTREAMS,
                        default=[kind for kind in servers.UPSTREAMS if servers.has_tls(kind)])
    servers.add_arguments(parser)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    servers.end_with_children()
    rows = [["server", "upstream", "last answer ms, median", "worst", "whole bursts", "of"]]
    place = servers.new_place(arguments.directory)
    for kind in arguments.upstream:
        upstream = Upstream(place, kind, f"upstream-{kind}")
        try:
            for name, command in servers.tested(arguments).items():
                bursts = measure_server(place, name, command, arguments)
                times = [burst.last_ms for burst in bursts]
                whole = sum(burst.answered == arguments.queries for burst in bursts)
                rows.append([name, kind, f"{statistics.median(times):.2f}", f"{max(times):.2f}",
                             str(whole), str(len(bursts))])
        finally:
            upstream.stop()
    print_table(rows)
    print(f"\nbursts of {arguments.queries}, {arguments.pause:g} s after the last answer; a burst "
          f"that is not whole was waited for {PATIENCE_SECONDS} s")


if __name__ == "__main__":
    main()
