"""Tables for people: fitted and coloured on a terminal, plain and whole elsewhere.

A table may go on for ever: a line is printed when its row comes.
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from gateway.cli.output import OutputRow, print_json, text
from gateway.cli.screen.columns import Column

# The first rows say how wide the columns are.
SAMPLE = 200
NARROW = 100  # characters; columns that are extra need more
_LEAST = 5  # of a text's characters
_GAP = 2


def show_table(
    rows: Sequence[OutputRow], shown: Sequence[Column], *, as_json: bool = False
) -> None:
    """All of each row as JSON, or a table of the columns."""
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_lines(shown, rows, sample=len(rows))


def terminal_width() -> int | None:
    """In characters; None: what is printed goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_lines(
    shown: Sequence[Column],
    there: Iterable[OutputRow],
    later: Iterable[OutputRow] = (),
    *,
    sample: int = SAMPLE,
) -> None:
    """Print a header, the rows there are, and those that come later."""
    rows = iter(there)
    first = list(islice(rows, sample))
    room = terminal_width()
    lines = Lines(shown, first, room)
    write = lines.write if room is None else lines.coloured()
    lines.write(lines.titles)
    for some in (first, rows):
        for row in some:
            write(row)
    sys.stdout.flush()
    for row in later:
        write(row)
        sys.stdout.flush()


class Lines:
    """Columns as wide as a sample, or less where there is no room for it."""

    def __init__(
        self, shown: Sequence[Column], sample: Sequence[OutputRow], room: int | None
    ) -> None:
        is_narrow = room is not None and room < NARROW
        self._shown = [one for one in shown if not (is_narrow and one.is_extra)]
        self.titles = {one.name: one.title for one in self._shown}
        self._cuts = room is not None
        seen = (self.titles, *sample)
        self._widths = {
            one.name: max(len(text(row.get(one.name))) for row in seen)
            for one in self._shown
        }
        if room is not None:
            self._shrink(room)

    def _shrink(self, room: int) -> None:
        """Take from the widest texts; numbers are never cut."""
        widths = self._widths
        texts = [one.name for one in self._shown if not (one.is_number or one.is_whole)]
        gaps = _GAP * (len(self._shown) - 1)
        while texts and sum(widths.values()) + gaps > room:
            widest = max(texts, key=widths.__getitem__)
            if widths[widest] <= _LEAST:
                return
            widths[widest] -= 1

    def cells(self, row: OutputRow) -> Iterator[str]:
        """One line's cells, padded."""
        for one in self._shown:
            words, width = text(row.get(one.name)), self._widths[one.name]
            if one.is_number:
                yield words.rjust(width)
            elif self._cuts and len(words) > width:
                yield words[: width - 1] + "…"
            else:
                yield words.ljust(width)

    def write(self, row: OutputRow) -> None:
        sys.stdout.write((" " * _GAP).join(self.cells(row)).rstrip() + "\n")

    def coloured(self) -> Callable[[OutputRow], None]:
        """`write` with each cell in its colour."""
        # Half of such a command's time, which the others do not spend.
        from rich.text import Text

        from gateway.cli.screen.terminal import terminal

        console = terminal()

        def write(row: OutputRow) -> None:
            styles = [one.style_of(text(row.get(one.name))) for one in self._shown]
            cells = map(Text, self.cells(row), styles)
            console.print(Text(" " * _GAP).join(cells), soft_wrap=True)

        return write
