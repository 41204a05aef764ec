"""How many queries fail while the only upstream keeps breaking its connections.

5,000 distinct names at 500 a second, every answer checked. Run by `script/bench faults`.
"""

import argparse
import contextlib
import pathlib
import threading

import measure
import servers
from load import print_table

from harness import fake_upstream
from harness.clients import load

QUERIES = 5_000
PER_SECOND = 500
RESET_EVERY_SECONDS = 0.25
ANSWERS_PER_CONNECTION = 50
CLIENT_PATIENCE_SECONDS = 10.0  # after the last query was sent


@contextlib.contextmanager
def resetting(upstream: fake_upstream.FakeUpstream):
    """Every connection is reset every 250 ms; clients connect anew at once."""
    done = threading.Event()

    def reset() -> None:
        for connection in list(upstream.live):
            connection.reset()

    def run() -> None:
        while not done.wait(RESET_EVERY_SECONDS):
            upstream.call(reset)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def closing(upstream: fake_upstream.FakeUpstream):
    """Each connection is closed after its 50th answer."""
    upstream.close_after_answers = ANSWERS_PER_CONNECTION
    yield
    upstream.close_after_answers = 0


FAULTS = {"reset every 250 ms": resetting, "close after 50 answers": closing}


def measure_one(name: str, command, fault: str, place: servers.Place) -> list[str]:
    with fake_upstream.FakeUpstream(place.leaf) as upstream:
        place.upstream_port = upstream.port
        port = servers.ports.free_port()
        process = servers.start(place, name, command(place, port), measure.SERVER_CPU)
        try:
            measure.first_answer(port, "first.example", patience=10)
            with FAULTS[fault](upstream):
                result = load("127.0.0.1", port, queries=QUERIES, per_second=PER_SECOND,
                              patience=CLIENT_PATIENCE_SECONDS)
        finally:
            process.stop()
        failed = result.asked - result.right
        return [name, fault, str(failed), str(result.lost), str(sum(result.rcodes.values())),
                str(len(result.wrong)), str(result.asked), str(upstream.connections)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench faults", description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path,
                        default=servers.ROOT / "build/bench/faults")
    servers.add_arguments(parser)
    arguments = parser.parse_args()

    servers.end_with_children()
    place = servers.new_place(arguments.directory)
    rows = [["server", "upstream", "failed", "lost", "error", "wrong", "of", "connections"]]
    for name, command in servers.tested(arguments).items():
        rows += [measure_one(name, command, fault, place) for fault in FAULTS]
    print_table(rows)
    print(f"\n{QUERIES} distinct names at {PER_SECOND} a second over UDP, one DoT upstream")


if __name__ == "__main__":
    main()
