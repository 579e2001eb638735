"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Self, TextIO, TypeVar

from gateway.cli.output import format_duration

T = TypeVar("T")

# Seconds. What is done sooner needs no word; a log is not to be filled.
FIRST_WORD = 1.0
BETWEEN_BARS = 0.1
BETWEEN_LINES = 10.0
_TICK = 0.5
_WIDTH = 30


class Progress:
    """Tells on standard error, so that the output can be piped.

    `quiet` for --json. `unit` says what is counted, "" where it needs no word.
    """

    def __init__(
        self,
        label: str,
        *,
        unit: str = "",
        quiet: bool = False,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._unit, self._quiet = label, unit, quiet
        self._file = sys.stderr if file is None else file
        self._clock = clock
        self._is_terminal = (
            self._file.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        )
        self._started = clock()
        self._next_word = self._started + FIRST_WORD
        self._has_bar = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Make room for other words; the bar comes back with the next update."""
        if self._has_bar:
            self._file.write("\r\033[K")
            self._file.flush()
            self._has_bar = False

    def update(self, done: float, whole: float | None = None) -> None:
        """Say how far it is, if it is time for a word; None: the end is not known."""
        now = self._clock()
        if self._quiet or now < self._next_word:
            return
        if self._is_terminal:
            bar = "" if whole is None else f"{_bar(done, whole)} "
            line = f"{self._label} {bar}{self._far(done, whole)}"
            # What wraps would stay when it is cleared.
            line = line[: shutil.get_terminal_size().columns - 1]
            self._file.write(f"\r\033[K{line}")
            self._has_bar = True
        else:
            self._file.write(f"{self._label}: {self._far(done, whole)}\n")
        self._file.flush()
        self._next_word = now + (BETWEEN_BARS if self._is_terminal else BETWEEN_LINES)

    def count(self, rows: Iterable[T], whole: int | None = None) -> Iterator[T]:
        """The rows, counted as they pass."""
        for number, row in enumerate(rows, 1):
            self.update(number, whole)
            yield row

    def tick(self, whole: float | None = None) -> None:
        """Say how many seconds it has been, of so many."""
        self.update(self._clock() - self._started, whole)

    async def wait(
        self, coming: AsyncIterator[T], whole: float | None = None
    ) -> AsyncIterator[T]:
        """What comes; the seconds are told while nothing does."""
        while True:
            following = asyncio.ensure_future(anext(coming, None))
            try:
                while not (await asyncio.wait({following}, timeout=_TICK))[0]:
                    self.tick(whole)
            finally:
                following.cancel()
            self.clear()
            one = following.result()
            if one is None:
                return
            yield one

    def _far(self, done: float, whole: float | None) -> str:
        unit = f" {self._unit}" if self._unit else ""
        if not whole:
            return f"{done:.0f}{unit}"
        told = f"{100 * done / whole:.0f} %, {done:.0f} of {whole:.0f}{unit}"
        if not 0 < done < whole:
            return told
        left = (self._clock() - self._started) * (whole - done) / done
        return f"{told}, {format_duration(left)} left"


@contextmanager
def waiting(label: str, *, quiet: bool = False) -> Iterator[None]:
    """Tells the seconds of what does not tell how far it is; for calls that block."""
    is_over = Event()
    with Progress(label, unit="s", quiet=quiet) as progress:

        def tick() -> None:
            while not is_over.wait(_TICK):
                progress.tick()

        ticking = Thread(target=tick, daemon=True)
        ticking.start()
        try:
            yield
        finally:
            is_over.set()
            ticking.join()


def _bar(done: float, whole: float) -> str:
    full = round(_WIDTH * min(1.0, done / whole)) if whole else 0
    return "[" + "#" * full + "." * (_WIDTH - full) + "]"
