"""What a run of mutants says: survivors, the share killed, and whether it is enough."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.tools.mutants.operators import Mutant
from tests.tools.mutants.runs import Verdict

LEAST_OF_ALL = 0.95
LEAST_OF_PACKAGE = 0.90

Key = tuple[str, str, str]


class Equivalents:
    """Mutants that no test can notice, each with the reason, known by their content."""

    def __init__(self, path: Path) -> None:
        entries = tomllib.loads(path.read_text()).get("mutant", [])
        self.reasons: dict[Key, str] = {
            (one["path"], one["code"], one["change"]): one["reason"] for one in entries
        }

    def __contains__(self, mutant: Mutant) -> bool:
        return mutant.key in self.reasons

    def stale(self, mutants: Iterable[Mutant]) -> list[Key]:
        """Entries for which there is no mutant any more."""
        return sorted(self.reasons.keys() - {mutant.key for mutant in mutants})


@dataclass
class Tally:
    """One package's, or all, mutants that count."""

    killed: int = 0
    hung: int = 0
    survivors: list[Verdict] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.killed + len(self.survivors)

    @property
    def share(self) -> float:
        return self.killed / self.total if self.total else 1.0

    def add(self, verdict: Verdict) -> None:
        if verdict.is_killed:
            self.killed += 1
            self.hung += verdict.is_hung
        else:
            self.survivors.append(verdict)


class Report:
    """Counts verdicts, those of equivalent mutants apart."""

    def __init__(self, equivalents: Equivalents) -> None:
        self.all = Tally()
        self.packages: defaultdict[str, Tally] = defaultdict(Tally)
        self.equivalent = 0
        self._equivalents = equivalents

    def add(self, verdict: Verdict) -> None:
        if not verdict.is_killed and verdict.mutant in self._equivalents:
            self.equivalent += 1
            return
        self.all.add(verdict)
        self.packages[verdict.mutant.package].add(verdict)

    def is_enough(self) -> bool:
        """A package of which few were drawn may have one survivor all the same."""
        return self.all.share >= LEAST_OF_ALL and all(
            one.share >= LEAST_OF_PACKAGE or len(one.survivors) <= 1
            for one in self.packages.values()
        )

    def lines(self) -> list[str]:
        """The table, packages in their order."""
        table = [f"{'package':20} {'killed':>7} {'of':>4} {'share':>6}"]
        for name, one in [*sorted(self.packages.items()), ("all", self.all)]:
            table.append(f"{name:20} {one.killed:7} {one.total:4} {one.share:6.1%}")
        return [
            *table,
            f"{self.equivalent} equivalent ones left out; of the killed,"
            f" {self.all.hung} only hung",
        ]


def described(verdict: Verdict) -> str:
    """A survivor, for the editor to find."""
    mutant = verdict.mutant
    how = f"{verdict.tests} tests run the line" if verdict.tests else "no test runs it"
    return f"{mutant.path}:{mutant.line}  {mutant.change}  ({how})"
