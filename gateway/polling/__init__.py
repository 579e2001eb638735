"""What is asked of upstream regularly, for each account."""

import asyncio
from collections.abc import Awaitable, Iterable

# Between two looks at which accounts are due.
TICK_SECONDS = 1.0

# Above the longest pause between two calls of a kind.
_LONGEST_PAUSE = 600.0


def is_over(due_at: float, now: float) -> bool:
    """Whether a pause is over: one that is longer than any is of a clock set back."""
    return not now < due_at <= now + _LONGEST_PAUSE


async def wait_for_all(calls: Iterable[Awaitable[object]]) -> None:
    """Wait until all have ended; raise the first failure of one only then."""
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
