"""Sums of several processes' metrics, series by series, in the exposition format."""

import re
from collections.abc import Iterable

# Gauges of what all members see alike, or each for itself: the worst counts.
_HIGHEST = re.compile(r"(?:^|_)(?:seconds|percent|failing|state|blocked)$")
_LOWEST = re.compile(r"(?:^|_)(?:ready|created)$")
_TYPE = "# TYPE "


def sum_metrics(texts: Iterable[str]) -> str:
    """Counters, histograms and gauges of one family after the other, added up."""
    families: dict[str, list[str]] = {}  # its comments, by name
    series: dict[str, dict[str, float]] = {}  # its samples, by family
    kinds: dict[str, str] = {}
    for text in texts:
        family = ""
        for line in text.split("\n"):
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                known = families.setdefault(family, [])
                if line not in known and len(known) < 2:
                    known.append(line)
                if line.startswith(_TYPE):
                    kinds[family] = line.rsplit(" ", 1)[1]
            elif line:
                _add(series.setdefault(family, {}), line, family, kinds.get(family))
    lines: list[str] = []
    for family, comments in families.items():
        lines += comments
        lines += (f"{name} {value!r}" for name, value in series.get(family, {}).items())
    return "\n".join(lines) + "\n" if lines else ""


def _add(samples: dict[str, float], line: str, family: str, kind: str | None) -> None:
    name, _, told = line.rpartition(" ")
    value = float(told)
    if name not in samples:
        samples[name] = value
    elif kind == "gauge" and _HIGHEST.search(family):
        samples[name] = max(samples[name], value)
    elif kind == "gauge" and _LOWEST.search(family):
        samples[name] = min(samples[name], value)
    else:
        samples[name] += value
