"""What is shown on a terminal only: colour, unless NO_COLOR says no."""

import time
from collections.abc import Callable, Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from gateway.cli.output import OutputRow
from gateway.cli.screen.fitting import GAP, Lines


def terminal() -> Console:
    """NO_COLOR, TERM and COLUMNS hold."""
    return Console(highlight=False)


def coloured_line(lines: Lines, row: OutputRow) -> Text:
    """A line of a table. Never markup: clients choose some of the words."""
    line = Text(" " * GAP).join(map(Text, lines.cells(row), lines.styles(row)))
    line.rstrip()
    return line


def redraw(
    draw: Callable[[int], Iterable[tuple[Lines, OutputRow]]], pause: float
) -> None:
    """Draw lines for the terminal's width every so many seconds, until interrupted."""
    console = terminal()

    def drawn() -> Group:
        return Group(*(coloured_line(*one) for one in draw(console.width)))

    with Live(drawn(), console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.refresh()
            time.sleep(pause)
            live.update(drawn())
