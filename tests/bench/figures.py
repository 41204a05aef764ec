"""Figures beside their targets."""

from dataclasses import dataclass

from load import print_table


@dataclass(frozen=True)
class Figure:
    what: str
    value: float
    unit: str
    target: float
    at_least: bool = False
    note: str = ""

    def row(self) -> list[str]:
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return [self.what, f"{self.value:.2f}", self.unit,
                f"{'≥' if self.at_least else '≤'} {self.target:g}",
                f"{self.value / self.target:.3f}", "yes" if met else "NO", self.note]


def print_figures(figures: list[Figure]) -> None:
    if not figures:
        return
    print()
    print_table([["figure", "measured", "unit", "target", "measured / target", "met", ""],
                 *(figure.row() for figure in figures)])
