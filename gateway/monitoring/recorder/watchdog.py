"""The watchdog: a thread that sees what the loop is doing while it is blocked.

Only another thread can look, and the stack of the blocked loop is what names the
callback. asyncio's debug mode would name it as well, afterwards, at the price of a
slower loop at all times.
"""

import itertools
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

# More than one of the loop's beats, and early enough to have looked before a block of
# a tenth of a second ends.
BLOCKED_AFTER_SECONDS = 0.075
MOST_FRAMES = 40
_LONGEST_NAME = 120
_OWN = ("gateway/", "handlers/", "schemas/")
_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the loop's thread. `after`, `late`: seconds."""

    after: float  # since the loop's last sign of life
    late: float  # after the time this look was meant to be taken
    state: str  # the kernel's letter for the thread (proc(5)); "" where not told
    frames: tuple[str, ...]  # innermost first

    @property
    def is_idle(self) -> bool:
        """Whether the loop was between callbacks."""
        return not self.frames or self.frames[0].startswith(("asyncio/", "selectors."))

    @property
    def where(self) -> str:
        """Our own line that was being run, where there is one; else the innermost."""
        called = itertools.takewhile(lambda one: one[:8] != "asyncio/", self.frames)
        ours = (one for one in called if one.startswith(_OWN))
        return next(ours, self.frames[0] if self.frames else "")


class Watchdog:
    """Made, and told of each beat, on the loop's thread."""

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._watched_native = threading.get_native_id()
        self._beat_at = time.monotonic()
        self._sights: list[Sight] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="watchdog", daemon=True
        )
        self._thread.start()

    def beat(self, now: float) -> list[Sight]:
        """The loop lives; what was seen of it since the last beat."""
        self._beat_at = now
        sights, self._sights = self._sights, []
        return sights

    def stop(self) -> None:
        """End the thread; waits for it, some microseconds."""
        self._stopped.set()
        self._thread.join(1.0)

    def _watch(self) -> None:
        beat_at = self._beat_at
        due, enough = beat_at + BLOCKED_AFTER_SECONDS, BLOCKED_AFTER_SECONDS
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            if self._beat_at != beat_at:
                beat_at, enough = self._beat_at, BLOCKED_AFTER_SECONDS
            silent = now - beat_at
            if silent >= enough:
                self._sights.append(self._look(silent, now - due))
                enough = 2 * silent  # a block of a minute is worth ten looks
            due = (
                beat_at if silent < BLOCKED_AFTER_SECONDS else now
            ) + BLOCKED_AFTER_SECONDS

    def _look(self, after: float, late: float) -> Sight:
        return Sight(
            after, late, _state(self._watched_native), frames_of(self._watched)
        )


def frames_of(thread: int) -> tuple[str, ...]:
    """Lines of code that a thread is in, without any values."""
    told: list[str] = []
    frame = sys._current_frames().get(thread)
    while frame is not None and len(told) < MOST_FRAMES:
        code = frame.f_code
        name = code.co_qualname[:_LONGEST_NAME]
        told.append(f"{_short(code.co_filename)}:{frame.f_lineno} {name}")
        frame = frame.f_back
    return tuple(told)


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
