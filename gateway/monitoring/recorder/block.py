"""A block of the loop, and what was the matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.monitoring.recorder.watchdog import BLOCKED_AFTER_SECONDS, Sight

BLOCKED_SECONDS = 0.1


class Cause(StrEnum):
    COLLECTION = "collection"
    BUSY = "busy"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Block:
    """Seconds: how long the loop gave no sign of life, and what went on meanwhile."""

    lasted: float
    cpu: float  # of the loop's thread
    collecting: float  # garbage, in any thread: the interpreter does nothing else
    sights: Sequence[Sight] = ()

    @property
    def cause(self) -> Cause:
        # What takes that long would have been a block on any machine, however long
        # it took on this one.
        enough = min(BLOCKED_SECONDS, self.lasted / 2)
        if self.collecting >= enough:
            return Cause.COLLECTION
        if self.cpu >= enough:
            return Cause.BUSY
        # The watchdog ran and the loop could have: it waited for something else.
        if any(
            sight.late < BLOCKED_AFTER_SECONDS
            and not sight.is_idle
            and sight.state in "SD"
            for sight in self.sights
        ):
            return Cause.WAITING
        return Cause.STOPPED

    @property
    def where(self) -> str:
        """The line of code it was in, "" when that is not to blame, or not known."""
        if self.cause not in (Cause.BUSY, Cause.WAITING):
            return ""
        return next((one.where for one in self.sights if not one.is_idle), "")

    def __str__(self) -> str:
        match self.cause:
            case Cause.COLLECTION:
                what = "garbage was collected"
            case Cause.STOPPED:
                what = "the process was stopped, or starved of CPU"
            case Cause.BUSY:
                what = f"busy in {self.where or 'code that was not seen'}"
            case Cause.WAITING:
                what = f"waiting in {self.where}"
        return f"{self.lasted * 1000:.0f} ms, {what}"

    def as_line(self) -> dict[str, Any]:
        return {
            "kind": "block",
            "blocked_ms": round(self.lasted * 1000),
            "cause": self.cause,
            "where": self.where,
            "cpu_ms": round(self.cpu * 1000),
            "collecting_ms": round(self.collecting * 1000),
            "stacks": [
                {"after_ms": round(one.after * 1000), "frames": one.frames}
                for one in self.sights
            ],
        }
