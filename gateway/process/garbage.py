"""Garbage: when the interpreter looks for cycles. The loop stands still meanwhile, a
millisecond for a thousand objects that live, so it looks at few of them at a time.
"""

import asyncio
import gc
from collections.abc import Callable

# A turn makes some thousand short-lived objects: looking for cycles after every 700 of
# them, the default, costs 2 to 4 % of a turn and finds none.
_YOUNG = 4_000
_YOUNG_TIMES = 1  # so that 12,000 are the most that is looked at as a rule
# All that live, a hundred thousand with 2,000 connections: only when that has not been
# done for long in a moment without turns. What they leave are no cycles.
_MIDDLE_TIMES = 1_000

# Looking for a moment without turns; it is used when so many middle ones were done.
IDLE_LOOK_SECONDS = 10.0
_WORTH_TIMES = 10


def exempt_the_start() -> None:
    """Never look again at what was built until now; and collect seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _YOUNG_TIMES, _MIDDLE_TIMES)


async def collect_when_idle(
    is_idle: Callable[[], bool], look_seconds: float = IDLE_LOOK_SECONDS
) -> None:
    """Look through all that lives while nobody waits for the loop."""
    while True:
        await asyncio.sleep(look_seconds)
        if is_idle() and gc.get_count()[2] >= _WORTH_TIMES:
            gc.collect()
