"""How far a long command is: what a terminal, a log and a program see of it."""

import asyncio
import io
import threading
import time

import pytest

from gateway.cli.progress import BETWEEN_LINES, FIRST_WORD, Progress, waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def run(clock, file, seconds, steps=1000, whole=1000, **options):
    """Of something that takes `seconds` in all: what it told."""
    with Progress("Pages", file=file, clock=clock, **options) as progress:
        for step in range(1, steps + 1):
            clock.now += seconds / steps
            progress.update(step, whole)
    return file.getvalue()


@pytest.mark.parametrize("file", [Terminal, io.StringIO])
@pytest.mark.parametrize(
    ("seconds", "quiet"), [(FIRST_WORD * 0.9, False), (600.0, True)]
)
def test_what_is_quick_or_for_programs_says_nothing(
    monkeypatch, clock, file, seconds, quiet
):
    monkeypatch.setenv("TERM", "xterm")
    assert run(clock, file(), seconds, quiet=quiet) == ""


def test_elsewhere_there_is_a_line_now_and_then(clock):
    lines = run(clock, io.StringIO(), 5 * BETWEEN_LINES).splitlines()
    assert 5 <= len(lines) <= 6
    assert lines[0].startswith("Pages: 2 %, 2")
    assert lines[0].endswith(" of 1000, 49 s left")


def test_a_terminal_has_a_bar_that_goes_away(monkeypatch, clock):
    monkeypatch.setenv("TERM", "xterm")
    told = run(clock, Terminal(), 4.0, unit="pages")
    assert "\n" not in told
    assert told.endswith("\r\033[K")
    shown = told.split("\r\033[K")
    half = "Pages [###############...............] 50 %, 50"
    assert any(one.startswith(half) for one in shown)
    assert len(shown) < 40  # not each step: a terminal far away is slow


def test_a_dumb_terminal_has_lines(monkeypatch, clock):
    monkeypatch.setenv("TERM", "dumb")
    assert "\033" not in run(clock, Terminal(), 4.0)


def test_an_unknown_end_is_not_guessed(clock):
    file = io.StringIO()
    rows = iter(range(3))

    def slow():
        for row in rows:
            clock.now += 2.0
            yield row

    with Progress("Rows", unit="rows", file=file, clock=clock) as progress:
        assert list(progress.count(slow())) == [0, 1, 2]
    assert file.getvalue() == "Rows: 1 rows\n"


@pytest.mark.parametrize("whole", [0, 5])
def test_more_than_the_whole_breaks_nothing(monkeypatch, clock, whole):
    monkeypatch.setenv("TERM", "xterm")
    for file in (Terminal(), io.StringIO()):
        assert run(clock, file, 20.0, steps=20, whole=whole)


def test_a_wait_tells_its_seconds_and_makes_room_for_what_comes(monkeypatch, clock):
    monkeypatch.setenv("TERM", "xterm")
    seen = asyncio.Event()

    class Watched(Terminal):
        def write(self, words):
            if "28 of 70 s, 42 s left" in words:
                seen.set()
            return super().write(words)

    async def coming():
        yield "first"
        clock.now += 28.0
        await seen.wait()
        yield "second"

    file = Watched()

    async def main():
        with Progress("Waiting", unit="s", file=file, clock=clock) as progress:
            async for one in progress.wait(coming(), 70.0):
                file.write(one)

    asyncio.run(main())
    assert file.getvalue().startswith("first")
    assert file.getvalue().endswith("\r\033[Ksecond")


@pytest.mark.operator
def test_what_blocks_tells_its_seconds_and_leaves_nothing_behind(capfd):
    before = threading.active_count()
    with waiting("Asking upstream"):
        time.sleep(FIRST_WORD + 0.6)
    assert capfd.readouterr().err.startswith("Asking upstream: ")
    with waiting("Asking upstream", quiet=True):
        time.sleep(FIRST_WORD + 0.6)
    assert capfd.readouterr().err == ""
    assert threading.active_count() == before
