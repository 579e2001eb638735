"""Block: how long the event loop was blocked, and by what."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.monitoring.recorder.watchdog import BLOCKED_AFTER_SECONDS, StackSample

BLOCKED_SECONDS = 0.1


class BlockCause(StrEnum):
    COLLECTION = "collection"
    BUSY = "busy"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Block:
    """The loop between two heartbeats; times in seconds."""

    duration: float
    cpu: float  # of the loop's thread
    collecting: float  # garbage, in any thread: the interpreter does nothing else
    stacks: Sequence[StackSample] = ()

    @property
    def cause(self) -> BlockCause:
        # What takes that long would have been a block on any machine, however long
        # it took on this one.
        enough = min(BLOCKED_SECONDS, self.duration / 2)
        if self.collecting >= enough:
            return BlockCause.COLLECTION
        if self.cpu >= enough:
            return BlockCause.BUSY
        # The watchdog ran and the loop could have: it waited for something else.
        if any(
            stack.late < BLOCKED_AFTER_SECONDS
            and not stack.is_idle
            and stack.state in "SD"
            for stack in self.stacks
        ):
            return BlockCause.WAITING
        return BlockCause.STOPPED

    @property
    def where(self) -> str:
        """The line of code it was in; "" where that is not the cause, or not known."""
        if self.cause not in (BlockCause.BUSY, BlockCause.WAITING):
            return ""
        return next((one.where for one in self.stacks if not one.is_idle), "")

    def __str__(self) -> str:
        match self.cause:
            case BlockCause.COLLECTION:
                what = "garbage was collected"
            case BlockCause.STOPPED:
                what = "the process was stopped, or starved of CPU"
            case BlockCause.BUSY:
                what = f"busy in {self.where or 'code that was not seen'}"
            case BlockCause.WAITING:
                what = f"waiting in {self.where}"
        return f"{self.duration * 1000:.0f} ms, {what}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": "block",
            "blocked_ms": round(self.duration * 1000),
            "cause": self.cause,
            "where": self.where,
            "cpu_ms": round(self.cpu * 1000),
            "collecting_ms": round(self.collecting * 1000),
            "stacks": [
                {"after_ms": round(one.after * 1000), "frames": one.frames}
                for one in self.stacks
            ],
        }
