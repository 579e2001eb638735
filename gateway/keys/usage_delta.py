"""UsageDelta: a change of what a key uses, which another process can apply."""

from typing import Any, NamedTuple, Self


class CounterDelta(NamedTuple):
    """What is more reserved and more used of one limit in one window."""

    limit_id: int
    window_start: int  # unix seconds
    reserved: int
    used: int


class UsageDelta(NamedTuple):
    """One step of a key's usage; from nothing, it is a snapshot of all of it."""

    key_id: int
    running: int = 0  # turns
    starts: tuple[float, ...] = ()  # of requests within the minute, unix seconds
    counters: tuple[CounterDelta, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.running or self.starts or self.counters)

    @classmethod
    def from_json(cls, value: list[Any]) -> Self:
        """Read what a NamedTuple is in JSON: a list."""
        key_id, running, starts, counters = value
        changes = tuple(CounterDelta(*change) for change in counters)
        return cls(key_id, running, tuple(starts), changes)
