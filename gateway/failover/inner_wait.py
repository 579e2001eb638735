"""Requests that wait out a short limit: one goes first, and shows whether it ended."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

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
