"""How the load benchmark asks: what is asked, by which transport, how much of it at a time."""

from dataclasses import dataclass, field

import measure
from measure import Sample

ECHO_OUTSTANDING = 1_000  # where batching makes it cheapest: the floor, whatever the scenario
ECHO_QUERIES = 300_000
HOT_NAMES = 5_000
STEADY_SECONDS = 10  # of a scenario with a fixed rate


@dataclass(frozen=True)
class Scenario:
    outstanding: int
    hits: bool = False  # names that were asked right before; else names that nobody asked before
    connections: int = 0  # by TCP; 0: by UDP
    per_second: int = 0  # latency at this rate is measured; 0: CPU time at full speed

    def ask(self, pid: int, port: int, names: measure.Names, queries: int,
            with_perf: bool) -> Sample:
        options = {"connections": self.connections, "per_second": self.per_second}
        if self.per_second:
            queries = min(queries, STEADY_SECONDS * self.per_second)
        if not self.hits:
            file = names.file(queries)
        else:
            file = names.hot(HOT_NAMES)
            options["rounds"] = max(1, queries // HOT_NAMES)
        return measure.under_load(pid, port, file, self.outstanding, with_perf, **options)

    def ask_echo(self, pid: int, port: int, names: measure.Names, queries: int) -> Sample:
        """The echo right before: in the same way if latency is measured, else at its best."""
        if self.per_second:
            return self.ask(pid, port, names, queries, False)
        if self.hits:
            return measure.under_load(pid, port, names.hot(HOT_NAMES), ECHO_OUTSTANDING, False,
                                      rounds=ECHO_QUERIES // HOT_NAMES)
        return measure.under_load(pid, port, names.file(ECHO_QUERIES), ECHO_OUTSTANDING, False)

    def warm(self, port: int, names: measure.Names) -> None:
        if self.hits:
            measure.dnsperf(port, names.hot(HOT_NAMES), 100)


# Hits first: names asked once would fill a rival's cache.
SCENARIOS = {
    "hit-1000": Scenario(1_000, hits=True),
    "hit-20": Scenario(20, hits=True),
    "hit-tcp": Scenario(200, hits=True, connections=8),
    "latency": Scenario(1_000, hits=True, per_second=10_000),
    "miss-500": Scenario(500),
    "miss-20": Scenario(20),
    "miss-1000": Scenario(1_000),
}


@dataclass
class Series:
    """All samples of one server in one scenario, each with the echo's beside it."""

    samples: list[Sample] = field(default_factory=list)
    echoes: list[Sample] = field(default_factory=list)
    upstream_queries: int | None = 0  # while hits were measured; nothing if nobody counted

    def ratios(self) -> list[float]:
        return [sample.microseconds / echo.microseconds
                for sample, echo in zip(self.samples, self.echoes)]

    def latencies_added(self) -> list[float]:
        """Mean latency less the echo's, in microseconds."""
        return [sample.load.latency_mean - echo.load.latency_mean
                for sample, echo in zip(self.samples, self.echoes)]
