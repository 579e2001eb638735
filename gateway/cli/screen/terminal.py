"""Tables on a terminal: fitted to its width, and coloured unless NO_COLOR says no."""

from collections.abc import Sequence

from rich.cells import cell_len
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
    told = [[text(row.get(one.name)) for row in rows] for one in shown]
    for column, cells in zip(shown, told, strict=True):
        is_whole = bool(cells) and (column.is_number or column.is_whole)
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            min_width=max(map(cell_len, cells)) if is_whole else None,
        )
    for row in zip(*told, strict=True):
        # Never markup: clients choose some of the words.
        styles = [one.style_of(cell) for one, cell in zip(shown, row, strict=True)]
        table.add_row(*map(Text, row, styles))
    return table
