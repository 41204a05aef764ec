"""The admin listener of a sotto: metrics and health over HTTP."""

import http.client
import math

from prometheus_client.parser import text_string_to_metric_families

from .waiting import PATIENCE

Series = dict[tuple[str, frozenset], float]


class Admin:
    """What stands behind listen.admin = "127.0.0.1:PORT"."""

    def __init__(self, port: int, address: str = "127.0.0.1"):
        self.address = address
        self.port = port

    def ask(self, path: str, method: str = "GET") -> tuple[int, http.client.HTTPMessage, str]:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def status(self, path: str) -> int:
        return self.ask(path)[0]

    def readiness(self) -> tuple[int, str]:
        status, _headers, text = self.ask("/readyz")
        return status, text

    def metrics_text(self) -> str:
        status, headers, text = self.ask("/metrics")
        assert status == 200, text
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return text

    def metrics(self) -> "Metrics":
        return Metrics(self.metrics_text())


class Metrics:
    """Parsed strictly: every family has help and type, no series is there twice."""

    def __init__(self, text: str):
        self.series: Series = {}
        for family in text_string_to_metric_families(text):
            assert family.documentation, family.name
            assert family.type != "unknown", family.name
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.series, key
                assert not math.isnan(sample.value) and sample.value >= 0, sample
                self.series[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        """The one series with exactly these labels."""
        return self.series[(name, frozenset(labels.items()))]

    def sum(self, name: str, **labels: str) -> float:
        """Of all series with these labels and any others."""
        found = [value for (known, has), value in self.series.items()
                 if known == name and labels.items() <= dict(has).items()]
        assert found, name
        return sum(found)
