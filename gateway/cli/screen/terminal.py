"""Tables on a terminal: fitted to its width, and coloured unless NO_COLOR says no."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.output import OutputRow, text
from gateway.cli.screen.columns import Column


def terminal() -> Console:
    """NO_COLOR, TERM and COLUMNS hold."""
    return Console(highlight=False)


def fitted_table(rows: Sequence[OutputRow], shown: Sequence[Column]) -> Table:
    """A table whose long cells end in "…" where the terminal is narrow."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in shown:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            min_width=column.least,
        )
    for row in rows:
        cells = (styled(row.get(one.name), one.styles) for one in shown)
        table.add_row(*cells)
    return table


def styled(value: Any, styles: Mapping[str, str]) -> Text:
    """A cell in its colour. Never markup: clients choose some of the words."""
    words = text(value)
    return Text(words, style=styles.get(words, ""))
