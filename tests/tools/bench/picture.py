"""The results as a picture for the README: horizontal bars, plain SVG."""

from html import escape

from tests.tools.bench import machine
from tests.tools.bench.figures import number
from tests.tools.bench.results import Figure, Results

_PANELS = [
    Figure("3", "CPU per event, 200 streams", "µs"),
    Figure("4", "CPU per message, 200 sockets", "µs"),
    Figure("1", "added to first output, p50", "ms"),
    Figure("2", "turns", "/s"),
]
_COLOURS = {"gateway": "#2563eb", "nginx": "#15803d"}
_WIDTH, _LABEL, _ROW, _GAP = 760, 130, 22, 34
_BAR = _WIDTH - _LABEL - 100  # pixels of the longest bar
_BETTER = {"/s": "more is better"}


def draw(results: Results) -> str:
    """An SVG document; panels whose figure was not measured are left out.

    The upstream's own row is no relay and is not drawn.
    """
    parts: list[str] = []
    y = 10
    for figure in _PANELS:
        row = results.values.get(figure, {})
        medians = {
            name: results.median(figure, name) or 0.0
            for name in row
            if name != "direct"
        }
        if medians:
            y = _panel(parts, figure, medians, y)
    about = machine.describe()
    note = f"{about['processor']}, {about['cores']} cores, Python {about['python']}"
    parts.append(_text(10, y + 12, note, "note"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 24}"'
        f' width="{_WIDTH}" role="img" aria-label="Benchmark results">\n'
        "<style>text{font:13px system-ui,sans-serif;fill:#334155}"
        ".title{font-weight:600;fill:#0f172a}.note{font-size:11px;fill:#64748b}"
        "</style>\n"
        f'<rect width="{_WIDTH}" height="{y + 24}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _panel(parts: list[str], figure: Figure, medians: dict[str, float], y: int) -> int:
    """Append one group of bars; where the next one starts."""
    better = _BETTER.get(figure.unit, "less is better")
    title = f"{figure.label} ({figure.unit}, {better})"
    parts.append(_text(10, y + 16, title, "title"))
    y += 26
    longest = max(max(medians.values()), 1e-9)
    for name, value in medians.items():
        length = max(1.0, _BAR * max(value, 0.0) / longest)
        colour = _COLOURS.get(name, "#94a3b8")
        parts.append(_text(10, y + 14, name))
        parts.append(
            f'<rect x="{_LABEL}" y="{y + 2}" width="{length:.1f}"'
            f' height="{_ROW - 6}" rx="2" fill="{colour}"/>'
        )
        parts.append(_text(_LABEL + length + 6, y + 14, number(value)))
        y += _ROW
    return y + _GAP - _ROW + 6


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{style}>{escape(text)}</text>'
