"""The bars the gateway has to hold, and whether it did."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.tools.bench.results import Figure, Results

SUBJECT = "gateway"
BEFORE = "gateway before"  # of the checkout that --against names


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit of a figure, or of its ratio to `base`; `aim` is what we go after."""

    figure: Figure
    limit: float
    aim: float
    base: str | None = None
    is_floor: bool = False

    def holds(self, value: float, slack: float) -> bool:
        """`slack` 2 lets the figure be twice as bad."""
        if self.is_floor:
            return value >= self.limit / slack
        return value <= self.limit * slack


BARS = [
    Bar(Figure("1", "added to first output, p50", "ms"), 1.5, 0.8),
    Bar(Figure("1", "added to first output, p99", "ms"), 4, 2),
    Bar(Figure("2", "turns", "/s"), 0.55, 0.8, base="bare relay", is_floor=True),
    Bar(Figure("3", "CPU per event, 200 streams", "µs"), 3, 1.5, base="nginx"),
    Bar(Figure("3", "stalled gaps, 500 streams", "%"), 0.1, 0),
    Bar(Figure("4", "CPU per message, 200 sockets", "µs"), 3, 1.5, base="nginx"),
    *(
        Bar(Figure("5", f"longest gap beyond the pace, {size}{form}", "ms"), *bounds)
        for size, bounds in (("1 MiB", (15, 8)), ("8 MiB", (60, 30)))
        for form in ("", " zstd")
    ),
    Bar(Figure("6", "memory at rest", "MB"), 90, 45),
    Bar(Figure("6", "memory per idle socket", "kB"), 60, 30),
    Bar(Figure("6", "memory per active stream", "kB"), 60, 30),
    Bar(Figure("7", "memory held back", "MB"), 20, 5),
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds` with the slack it was judged by; "near" is only within that."""

    bar: Bar
    value: float
    holds: bool

    def __str__(self) -> str:
        bar = self.bar
        unit = f"x {bar.base}" if bar.base else f" {bar.figure.unit}"
        sign = "≥" if bar.is_floor else "≤"
        strictly = bar.holds(self.value, 1.0)
        mark = "ok  " if strictly else "near" if self.holds else "MISS"
        return (
            f"{mark} {bar.figure.label}: {self.value:.2f}{unit}"
            f" (bar {sign} {bar.limit:g}, aim {bar.aim:g})"
        )


def judge(results: Results, *, slack: float = 1.0) -> Iterator[Verdict]:
    """One verdict per bar whose figure was measured."""
    for bar in BARS:
        if bar.base:
            value = results.ratio(bar.figure, SUBJECT, bar.base)
        else:
            value = results.median(bar.figure, SUBJECT)
        if value is not None:
            yield Verdict(bar, value, bar.holds(value, slack))
