"""Columns as wide as what they hold, or less where a terminal has no room for it."""

import shutil
import sys
from collections.abc import Iterator, Sequence

from gateway.cli.output import OutputRow, text
from gateway.cli.screen.columns import Column

NARROW = 100  # characters; columns that are extra need more
GAP = 2
_LEAST = 5  # of a text's characters
_READABLE = 20  # of which most names have no more


def is_narrow() -> bool:
    """Whether there is no room for columns that are extra."""
    width = terminal_width()
    return width is not None and width < NARROW


def terminal_width() -> int | None:
    """In characters; None: what is printed goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


class Lines:
    """Columns as wide as a sample, or less where there is no room for it."""

    def __init__(
        self, shown: Sequence[Column], sample: Sequence[OutputRow], room: int | None
    ) -> None:
        narrow = room is not None and room < NARROW
        self._shown = [
            one
            for one in shown
            if not (narrow and one.is_extra)
            # Of what no row has, a terminal shows no column.
            and (room is None or not sample or any(_has(row, one) for row in sample))
        ]
        self.titles = {one.name: one.title for one in self._shown}
        self._cuts = room is not None
        seen = (self.titles, *sample)
        self._widths = {
            one.name: max(one.least, *(len(text(row.get(one.name))) for row in seen))
            for one in self._shown
        }
        if room is not None:
            self._leave_out(room)
            self._shrink(room)

    def _leave_out(self, room: int) -> None:
        """Columns that are extra, the last first, until names can be read."""
        extras = [one for one in self._shown if one.is_extra]
        while extras and self._readable_width() > room:
            self._shown.remove(one := extras.pop())
            del self._widths[one.name], self.titles[one.name]

    def _readable_width(self) -> int:
        widths = (
            self._widths[one.name]
            if one.is_number or one.is_whole
            else min(self._widths[one.name], _READABLE)
            for one in self._shown
        )
        return sum(widths) + GAP * (len(self._shown) - 1)

    def _shrink(self, room: int) -> None:
        """Take from the widest texts; numbers are never cut."""
        widths = self._widths
        texts = [one.name for one in self._shown if not (one.is_number or one.is_whole)]
        gaps = GAP * (len(self._shown) - 1)
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

    def styles(self, row: OutputRow) -> list[str]:
        """The colour of each."""
        return [one.style_of(text(row.get(one.name))) for one in self._shown]

    def line(self, row: OutputRow) -> str:
        return (" " * GAP).join(self.cells(row)).rstrip()

    def write(self, row: OutputRow) -> None:
        sys.stdout.write(self.line(row) + "\n")


def _has(row: OutputRow, column: Column) -> bool:
    return row.get(column.name) not in (None, "", [])
