"""How the load benchmark asks: what is asked, by which transport, how much of it at a time."""

from dataclasses import dataclass, field

import measure
from measure import Sample
from servers import DNSPERF_DOH, Listen

ECHO_OUTSTANDING = 1_000  # where batching makes it cheapest: the floor, whatever the scenario
ECHO_QUERIES = 300_000
HOT_NAMES = 5_000
WARM_UP_OUTSTANDING = 100
STEADY_SECONDS = 10  # of a scenario with a fixed rate
ONE_BY_ONE_QUERIES = 20_000  # at most, where one is asked at a time


@dataclass(frozen=True)
class Scenario:
    outstanding: int
    hits: bool = False  # names that were asked right before; else names that nobody asked before
    transport: str = "udp"  # or tcp, dot, doh, DNSPERF_DOH
    connections: int = 1
    padded: bool = False  # queries to 128 octets, hence responses to 468
    per_second: int = 0  # latency at this rate is measured; 0: CPU time at full speed

    @property
    def encrypted(self) -> bool:
        return self.transport in ("dot", "doh", DNSPERF_DOH)

    def ask(self, pid: int, listen: Listen, names: measure.Names, queries: int,
            with_perf: bool) -> Sample:
        options = {"transport": self.transport, "connections": self.connections}
        if self.padded:
            options["padded"] = True
        if self.per_second:
            options["per_second"] = self.per_second
            queries = min(queries, STEADY_SECONDS * self.per_second)
        if self.outstanding == 1:
            queries = min(queries, ONE_BY_ONE_QUERIES)
        if not self.hits:
            file = names.file(queries)
        else:
            file = names.hot(HOT_NAMES)
            options["rounds"] = max(1, queries // HOT_NAMES)
        return measure.under_load(pid, listen.port(self.transport), file, self.outstanding,
                                  with_perf, **options)

    def ask_echo(self, pid: int, port: int, names: measure.Names, queries: int) -> Sample:
        """The echo right before: in the same way if latency is measured, else at its best."""
        if self.per_second:
            return self.ask(pid, Listen(port), names, queries, False)
        if self.hits:
            return measure.under_load(pid, port, names.hot(HOT_NAMES), ECHO_OUTSTANDING, False,
                                      rounds=ECHO_QUERIES // HOT_NAMES)
        return measure.under_load(pid, port, names.file(ECHO_QUERIES), ECHO_OUTSTANDING, False)

    def warm(self, listen: Listen, names: measure.Names) -> None:
        """Over the same transport: some keep answers of each apart."""
        if self.hits:
            measure.ask(listen.port(self.transport), names.hot(HOT_NAMES), WARM_UP_OUTSTANDING,
                        transport=self.transport)


# Hits first: names asked once would fill a rival's cache.
SCENARIOS = {
    "hit-1000": Scenario(1_000, hits=True),
    "hit-20": Scenario(20, hits=True),
    "hit-1": Scenario(1, hits=True),
    "hit-tcp": Scenario(200, hits=True, transport="tcp", connections=8),
    "hit-dot": Scenario(200, hits=True, transport="dot", connections=8),
    "hit-dot-padded": Scenario(200, hits=True, transport="dot", connections=8, padded=True),
    "hit-dot-100": Scenario(200, hits=True, transport="dot", connections=100),
    "hit-doh": Scenario(200, hits=True, transport="doh", connections=8),
    "hit-doh-100": Scenario(200, hits=True, transport="doh", connections=100),
    "hit-dnsperf-doh": Scenario(200, hits=True, transport=DNSPERF_DOH, connections=8),
    "latency": Scenario(1_000, hits=True, per_second=10_000),
    "miss-500": Scenario(500),
    "miss-20": Scenario(20),
    "miss-1000": Scenario(1_000),
    "miss-1": Scenario(1),
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
