"""What a soak finds out, and how it is shown."""

import json
import statistics
from collections import Counter
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from tests.tools.bench import machine

PREFIX = "codex_gateway_"
# What has to be nothing when nobody asks for anything.
HELD = (
    *("in_flight", "sockets", "reservations", "body_bytes", "queue_depth"),
    "account_in_flight",
)
KEPT_FILES = 5  # connections to upstream that are kept for a while
LOST = ("log_rows_dropped_total", "writer_failing")


class Metrics(dict):
    """Sums of one scrape by name, without the prefix."""

    @classmethod
    def of(cls, text):
        found = cls()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix(PREFIX)
                if name == "loop_lag_seconds_bucket":
                    name = f"lag {sample.labels['le']}"
                found[name] = found.get(name, 0) + sample.value
        return found

    def lag(self):
        """How often the loop was later than so many seconds."""
        total = self["loop_lag_seconds_count"]
        late = {bound: total - self[f"lag {bound}"] for bound in ("0.05", "0.1", "0.5")}
        told = ", ".join(f"{n:.0f} over {bound} s" for bound, n in late.items())
        return f"of {total:.0f}: {told}"

    def held(self, before):
        """What is more than before anybody came, by name."""
        counted = {name: self.get(name, 0) for name in (*HELD, *LOST)}
        counted["tasks"] = self["tasks"] - before["tasks"]
        files = self["process_open_fds"] - before["process_open_fds"]
        counted["open files"] = files - KEPT_FILES
        return {name: number for name, number in counted.items() if number > 0}


@dataclass(slots=True)
class Found:
    """The figures of one run; bytes, seconds."""

    seconds: float
    seed: int
    conversations: int
    requests: dict
    refused: dict  # by status and code
    rows: dict  # of the log, by transport and status
    strokes: dict
    internal: list = field(default_factory=list)  # errors, each a text
    held: dict = field(default_factory=dict)  # at the end, by name
    cut_answers: tuple = (0, 0)  # that clients saw, that upstream made
    ways_cut: dict = field(default_factory=dict)
    unexcused: list = field(default_factory=list)
    while_cooling: int = 0  # refusals that only a cooling account could have answered
    over_budget: int = 0
    groundless: list = field(default_factory=list)
    attacks: dict = field(default_factory=dict)  # how often their sender got what
    harmed: list = field(default_factory=list)  # others by them, each a text
    switches: dict = field(default_factory=dict)
    answer_ms: dict = field(default_factory=dict)
    first_event_ms: dict = field(default_factory=dict)
    memory: list = field(default_factory=list)  # (second, resident bytes)
    settled_bytes: float = 0.0  # after ten minutes, or half of it
    loaded_bytes: float = 0.0  # under load, at its end
    rested_bytes: int = 0  # when all have left
    open_files: tuple = (0, 0)  # before, after
    peak_lag: str = ""
    expected: tuple = ()  # what a soak of this kind cannot do without

    @property
    def answered(self):
        return sum(n for name, n in self.requests.items() if name.startswith("answer"))

    @property
    def growth(self):
        return max(self.loaded_bytes, self.rested_bytes) / self.settled_bytes

    def table(self):
        mib = 1024 * 1024
        lines = {
            "run": f"{self.seconds:.0f} s, {self.conversations} conversations at a "
            f"time, seed {self.seed}",
            "requests": self.requests,
            "rate": f"{self.answered / self.seconds:.1f} answers/s",
            "first event (ms)": self.first_event_ms,
            "whole answer (ms)": self.answer_ms,
            "log rows": self.rows,
            "strokes": self.strokes,
            "refused": self.refused,
            "answers cut": f"{self.cut_answers[0]} of upstream's {self.cut_answers[1]}",
            "as clients saw": self.ways_cut,
            "over retry budget": self.over_budget,
            "unexcused refusals": f"{len(self.unexcused)}, and {self.while_cooling} "
            "while all that were well were cooling",
            "switches": self.switches,
            "without cause": len(self.groundless),
            "attacks": f"{len(self.attacks)} kinds, others noticed {len(self.harmed)}",
            "internal errors": len(self.internal),
            "held at the end": self.held or "nothing",
            "open files": f"{self.open_files[0]} before, {self.open_files[1]} after",
            "memory (MiB)": f"{self.settled_bytes / mib:.1f} settled, "
            f"{self.loaded_bytes / mib:.1f} at the end under load, "
            f"{self.rested_bytes / mib:.1f} at rest: {self.growth:.3f}",
            "loop lag": self.peak_lag,
        }
        return "\n".join(
            f"{name:>18}  {_shown(value)}" for name, value in lines.items()
        )

    def wrong(self, growth):
        """What must not be, each as a text; `growth` is what memory may grow to."""
        yield from self.internal[:20]
        yield from (f"held at the end: {name} {n}" for name, n in self.held.items())
        yield from (f"unexcused: {one}" for one in self.unexcused[:20])
        yield from (f"switched without cause: {one}" for one in self.groundless[:20])
        yield from (f"harmed by another: {one}" for one in self.harmed[:20])
        seen, made = self.cut_answers
        if seen > made:
            yield f"{seen} answers were cut, {made} of them by upstream"
        if not all(self.requests.get(name) for name in self.expected):
            yield f"nothing happened of {', '.join(self.expected)}: {self.requests}"
        if self.growth > growth:
            yield f"memory: {self.growth:.3f} of what it was, more than {growth}"

    def as_json(self):
        document = {"machine": machine.describe(), "answered": self.answered}
        document["growth"] = round(self.growth, 4)
        for name in self.__slots__:
            document[name] = getattr(self, name)
        return json.dumps(document, indent=1, default=str) + "\n"


def quantiles(seconds):
    """Milliseconds by name."""
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    found = {f"p{n}": round(cuts[n - 1] * 1000) for n in (50, 95, 99)}
    return {**found, "max": round(max(seconds) * 1000)}


def _shown(value):
    if isinstance(value, dict | Counter):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
