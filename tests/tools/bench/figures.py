"""The results as a table and as JSON."""

import json
import statistics
from collections.abc import Iterable

from tests.tools.bench import machine
from tests.tools.bench.checks import BEFORE, SUBJECT, Verdict
from tests.tools.bench.results import Results
from tests.tools.bench.scenarios import TITLES


def number(value: float | None) -> str:
    """Three significant places are all that a shared machine gives."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(results: Results) -> str:
    """Markdown; medians of the rounds, in brackets the ratio to nginx."""
    names = results.targets()
    rows, scenario = [["", *names]], ""
    for figure, row in sorted(
        results.values.items(), key=lambda item: item[0].scenario
    ):
        if figure.scenario != scenario:
            scenario = figure.scenario
            rows.append([f"**{scenario}. {TITLES[scenario]}**", *[""] * len(names)])
        cells = []
        for name in names:
            cell = number(results.median(figure, name)) if name in row else ""
            ratio = results.ratio(figure, name, "nginx")
            if ratio and figure.label.startswith(("CPU", "turns")):
                cell += f" ({ratio:.2f}x)"
            cells.append(cell)
        rows.append([f"{figure.label} ({figure.unit})", *cells])
    widths = [max(len(row[at]) for row in rows) for at in range(len(names) + 1)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows
    )


def comparison(results: Results) -> str:
    """Each figure of this checkout as a ratio to the other one's, a line each.

    The median of the rounds' own ratios, for what ran side by side drifts alike.
    """
    lines = ["", f"{SUBJECT} / {BEFORE}, median and range of the rounds:"]
    for figure, row in results.values.items():
        ratios = results.ratios(figure, SUBJECT, BEFORE)
        if ratios:
            spread = (
                f"{statistics.median(ratios):.3f}  {min(ratios):.3f}-{max(ratios):.3f}"
            )
            count = f"{len(row[SUBJECT])} rounds"
            lines.append(f"{spread}  {figure.label} ({figure.unit}, {count})")
    return "\n".join(lines)


def as_json(results: Results, verdicts: Iterable[Verdict]) -> str:
    """Every round's value, so that others can look at the spread."""
    document = {
        "machine": machine.describe(),
        "figures": [
            {
                "scenario": figure.scenario,
                "figure": figure.label,
                "unit": figure.unit,
                "targets": {
                    name: {"median": results.median(figure, name), "rounds": values}
                    for name, values in row.items()
                },
            }
            for figure, row in results.values.items()
        ],
        "bars": [
            {
                "figure": verdict.bar.figure.label,
                "against": verdict.bar.base,
                "value": verdict.value,
                "bar": verdict.bar.limit,
                "aim": verdict.bar.aim,
                "holds": verdict.holds,
            }
            for verdict in verdicts
        ],
        "remarks": results.remarks,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
