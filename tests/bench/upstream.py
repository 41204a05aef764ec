"""The DoT upstream of a benchmark, running: its handshake timed, what reached it counted."""

import re
import signal
import socket
import ssl
import statistics
import time
from dataclasses import dataclass

import servers
from measure import LOAD_CPU

HANDSHAKES = 9
START_SECONDS_MAX = 10


@dataclass(frozen=True)
class Counts:
    """Queries that reached the upstream."""

    queries: int
    hot: int  # for names that begin with "hot"

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(self.queries - before.queries, self.hot - before.hot)


class Upstream:
    """kind: one of servers.UPSTREAMS. Returns when it serves."""

    def __init__(self, place: servers.Place, kind: str = "own", name: str = "upstream"):
        self._counts = kind == "own"
        self._asked = 0
        self.process = servers.start(place, name, servers.UPSTREAMS[kind](place), LOAD_CPU)
        try:
            self.handshake = self._time_handshake(place)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.process.stop()

    def counts(self) -> Counts | None:
        """Since it started; nothing if it is not our own."""
        if not self._counts:
            return None
        self._asked += 1
        self.process.signal(signal.SIGUSR1)
        line = self.process.wait_for_log(r"^queries \d+ hot \d+$", count=self._asked)
        return Counts(*map(int, re.findall(r"\d+", line)))

    def _time_handshake(self, place: servers.Place) -> float:
        """Seconds, the median of some."""
        context = ssl.create_default_context(cafile=str(place.authority.ca_file))
        times = []
        deadline = time.monotonic() + START_SECONDS_MAX
        while len(times) < HANDSHAKES:
            begin = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", place.upstream_port)) as stream:
                    with context.wrap_socket(stream, server_hostname=servers.AUTH_NAME):
                        times.append(time.monotonic() - begin)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        return statistics.median(times)
