"""Marks: what was told and is not over, so that nothing is told twice. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.notifications.alerts import Alert, Condition

MarkKey = tuple[str, str]  # event and scope


@dataclass(slots=True)
class _Mark:
    """How much was told; `seen_at` is when it last held (unix seconds)."""

    level: int
    seen_at: float


class Marks:
    """Decides what is news, and what is over; `told` is of earlier processes."""

    def __init__(self, told: Iterable[tuple[str, str, int]], now: float) -> None:
        # In the order of levels: the highest remains.
        self._told = {(event, scope): _Mark(level, now) for event, scope, level in told}
        self._since: dict[MarkKey, float] = {}  # what holds, and is not told yet

    def is_news(self, alert: Alert, condition: Condition, now: float) -> bool:
        """Whether it is to be told; it counts as told then."""
        key = alert.event, condition.scope
        mark = self._told.get(key)
        if mark is not None:
            mark.seen_at = now
        if condition.level <= (mark.level if mark is not None else 0):
            return False
        if now - self._since.setdefault(key, now) < alert.holds_for:
            return False
        del self._since[key]
        self._told[key] = _Mark(condition.level, now)
        return True

    def end(
        self, alert: Alert, conditions: Iterable[Condition], began: float
    ) -> Iterator[MarkKey]:
        """Forget what holds no more; `conditions` are all that a look has found.

        What came up since the look began (unix seconds) it may have passed over.
        """
        held = {condition.scope for condition in conditions}
        for event, scope in tuple(self._since):
            if event == alert.event and scope not in held:
                del self._since[event, scope]
        for (event, scope), mark in tuple(self._told.items()):
            is_gone = event == alert.event and scope not in held
            absent = began - mark.seen_at
            if is_gone and absent > 0 and absent >= alert.rearms_after:
                del self._told[event, scope]
                yield event, scope
