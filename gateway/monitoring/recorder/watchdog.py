"""Watchdog: a thread that samples the stack of the event loop while it is blocked.

Only another thread can, and the stack of the blocked loop is what names the callback.
asyncio's debug mode would name it as well, afterwards, at the price of a slower loop
at all times.
"""

import itertools
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

# More than one heartbeat, and early enough for a sample before a block of a tenth of
# a second ends.
BLOCKED_AFTER_SECONDS = 0.075
MOST_FRAMES = 40
_LONGEST_NAME = 120
_OWN = ("gateway/", "handlers/", "schemas/")
_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class StackSample:
    """The stack of the loop's thread at one moment; times in seconds."""

    after: float  # since the last heartbeat
    late: float  # after the time it was to be taken
    state: str  # the kernel's letter for the thread (proc(5)); "" where unknown
    frames: tuple[str, ...]  # innermost first

    @property
    def is_idle(self) -> bool:
        """Whether the loop was between callbacks."""
        return not self.frames or self.frames[0].startswith(("asyncio/", "selectors."))

    @property
    def where(self) -> str:
        """The innermost line of our own, where there is one; else of any code."""
        called = itertools.takewhile(lambda one: one[:8] != "asyncio/", self.frames)
        ours = (one for one in called if one.startswith(_OWN))
        return next(ours, self.frames[0] if self.frames else "")


class Watchdog:
    """Made, and given each heartbeat, on the loop's thread."""

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._watched_native = threading.get_native_id()
        self._heartbeat_at = time.monotonic()
        self._stacks: list[StackSample] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="watchdog", daemon=True
        )
        self._thread.start()

    def heartbeat(self, now: float) -> list[StackSample]:
        """The loop runs; the stacks sampled since the last heartbeat.

        Raises RuntimeError when the thread has ended, whose owner makes another.
        """
        if not self._thread.is_alive():
            raise RuntimeError
        self._heartbeat_at = now
        stacks, self._stacks = self._stacks, []
        return stacks

    def stop(self) -> None:
        """End the thread; waits for it, some microseconds."""
        self._stopped.set()
        self._thread.join(1.0)

    def _watch(self) -> None:
        heartbeat_at = self._heartbeat_at
        due, enough = heartbeat_at + BLOCKED_AFTER_SECONDS, BLOCKED_AFTER_SECONDS
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            if self._heartbeat_at != heartbeat_at:
                heartbeat_at, enough = self._heartbeat_at, BLOCKED_AFTER_SECONDS
            blocked = now - heartbeat_at
            if blocked >= enough:
                self._stacks.append(self._sample(blocked, now - due))
                enough = 2 * blocked  # ten samples for a block of a minute
            due = (
                heartbeat_at if blocked < BLOCKED_AFTER_SECONDS else now
            ) + BLOCKED_AFTER_SECONDS

    def _sample(self, after: float, late: float) -> StackSample:
        return StackSample(
            after, late, _state(self._watched_native), stack_of(self._watched)
        )


def stack_of(thread: int) -> tuple[str, ...]:
    """The lines of code that a thread is in, innermost first, without any values."""
    lines: list[str] = []
    frame = sys._current_frames().get(thread)
    while frame is not None and len(lines) < MOST_FRAMES:
        code = frame.f_code
        name = code.co_qualname[:_LONGEST_NAME]
        lines.append(f"{_short(code.co_filename)}:{frame.f_lineno} {name}")
        frame = frame.f_back
    return tuple(lines)


def _short(path: str) -> str:
    """A source file as its package knows it."""
    for mark in ("site-packages/", f"python3.{sys.version_info.minor}/"):
        if mark in path:
            return path.rpartition(mark)[2][-_LONGEST_NAME:]
    return path.removeprefix(f"{_ROOT}/")[-_LONGEST_NAME:]


def _state(native: int) -> str:
    try:
        text = Path(f"/proc/self/task/{native}/stat").read_text()
    except OSError:
        return ""  # not Linux
    return text.rpartition(") ")[2][:1]
