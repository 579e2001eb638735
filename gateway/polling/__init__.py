"""What is asked of upstream regularly, for each account."""

import asyncio
from collections.abc import Awaitable, Iterable

# Between two looks at which accounts are due.
TICK_SECONDS = 1.0


async def wait_for_all(calls: Iterable[Awaitable[object]]) -> None:
    """Wait until all have ended; raise the first failure of one only then."""
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
