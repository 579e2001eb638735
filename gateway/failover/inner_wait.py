"""Requests that wait out a short limit: one goes first, and shows whether it ended."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import rules_of

LONGEST_INNER_WAIT = 5.0  # a longer one is the client's
ASSUMED_WAIT = 1.0  # of a short limit without a time, or whose time has come
# Those who waited go on one by one, or the limit would be reached again at once.
SPACING = 0.05

Place = Literal["first", "after", "in vain"]


@dataclass(slots=True)
class _First:
    """The first of those who wait for the same."""

    is_over: "asyncio.Future[bool]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    followers: int = 0


def short_limit(failure: Failure, now: float) -> float | None:
    """Seconds until the limit that was met ends; None: it is none, or no short one.

    `now` is unix time. The end of a window is told in whole seconds: it may be there
    while the limit goes on.
    """
    rules = rules_of(failure)
    if not rules.waits:
        return None
    left = None if failure.resets_at is None else failure.resets_at - now
    if not rules.is_usage_limit:
        asked = left if failure.retry_after is None else failure.retry_after
        return asked or ASSUMED_WAIT
    if left is None or left > LONGEST_INNER_WAIT:
        return None
    return max(ASSUMED_WAIT, left)


class InnerWaits:
    """Who goes first at each account and model, and who follows."""

    def __init__(self) -> None:
        self._first: dict[Hashable, _First] = {}

    async def take_place(self, scope: Hashable, patience: float) -> Place:
        """Go first, and call `end` with what came of it; or wait for who did."""
        first = self._first.get(scope)
        if first is None:
            self._first[scope] = _First()
            return "first"
        first.followers += 1
        place = first.followers
        done, _ = await asyncio.wait({first.is_over}, timeout=patience)
        if done and not first.is_over.result():
            return "in vain"
        await asyncio.sleep(min(place * SPACING, patience))
        return "after"

    def end(self, scope: Hashable, *, is_over: bool) -> None:
        """The first has its answer: whether the limit is over."""
        first = self._first.pop(scope, None)
        if first is not None:
            first.is_over.set_result(is_over)
