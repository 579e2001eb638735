"""Tables for people: fitted and coloured on a terminal, plain and whole elsewhere."""

import sys
from collections.abc import Sequence

from gateway.cli.output import OutputRow, print_table
from gateway.cli.screen.columns import Column


def show_table(
    rows: Sequence[OutputRow], shown: Sequence[Column], *, as_json: bool = False
) -> None:
    """The rows on a terminal, as text, or as JSON with all they have."""
    if as_json or not sys.stdout.isatty():
        print_table(rows, [column.name for column in shown], as_json=as_json)
        return
    # Half of such a command's time, which the others do not spend.
    from gateway.cli.screen.terminal import fitted_table, terminal

    terminal().print(fitted_table(rows, shown))
