"""What was measured: one value per round, figure and target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    scenario: str
    label: str
    unit: str = ""


@dataclass(slots=True)
class Results:
    """Values in the order of the rounds, so that ratios pair what ran together."""

    values: dict[Figure, dict[str, list[float]]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def note(self, figure: Figure, target: str, value: float) -> None:
        self.values.setdefault(figure, {}).setdefault(target, []).append(value)

    def median(self, figure: Figure, target: str) -> float | None:
        values = self.values.get(figure, {}).get(target)
        return statistics.median(values) if values else None

    def ratio(self, figure: Figure, target: str, base: str) -> float | None:
        """Median of the rounds' own ratios."""
        ratios = self.ratios(figure, target, base)
        return statistics.median(ratios) if ratios else None

    def ratios(self, figure: Figure, target: str, base: str) -> list[float]:
        """One for each round in which `base` has a figure other than 0."""
        row = self.values.get(figure, {})
        pairs = zip(row.get(target, ()), row.get(base, ()), strict=False)
        return [value / other for value, other in pairs if other]

    def targets(self) -> list[str]:
        """In the order in which they first appear."""
        names: dict[str, None] = {}
        for row in self.values.values():
            names |= dict.fromkeys(row)
        return list(names)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
