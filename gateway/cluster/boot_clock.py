"""A clock that nobody sets, and that goes on while the machine sleeps."""

import time


def boot_time() -> float:
    """Seconds since some moment; where there is no such clock, without sleep."""
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()


_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
