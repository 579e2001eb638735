"""Tables for people: fitted and coloured on a terminal, plain and whole elsewhere.

A table may go on for ever: a line is printed when its row comes.
"""

import sys
from collections.abc import Iterable, Sequence
from itertools import islice

from gateway.cli.output import OutputRow, print_json
from gateway.cli.screen.columns import Column
from gateway.cli.screen.fitting import Lines, terminal_width

# The first rows say how wide the columns are.
SAMPLE = 200


def show_table(
    rows: Sequence[OutputRow], shown: Sequence[Column], *, as_json: bool = False
) -> None:
    """All of each row as JSON, or a table of the columns."""
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_lines(shown, rows, sample=len(rows))


def print_lines(
    shown: Sequence[Column],
    there: Iterable[OutputRow],
    later: Iterable[OutputRow] = (),
    *,
    sample: int = SAMPLE,
    has_titles: bool = True,
) -> None:
    """Print a header, the rows there are, and those that come later."""
    rows = iter(there)
    first = list(islice(rows, sample))
    room = terminal_width()
    lines = Lines(shown, first, room)
    if has_titles:
        lines.write(lines.titles)
    write = lines.write
    if room is not None:
        # Half of such a command's time, which the others do not spend.
        from gateway.cli.screen.terminal import coloured_line, terminal

        console = terminal()

        def write(row: OutputRow) -> None:
            console.print(coloured_line(lines, row), soft_wrap=True)

    for some in (first, rows):
        for row in some:
            write(row)
    sys.stdout.flush()
    for row in later:
        write(row)
        sys.stdout.flush()
