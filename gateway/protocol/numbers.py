"""Reading numbers from outside: times and counts, each bounded; nothing raises.

They are for the gateway's own use. What upstream told goes to clients as it came.
"""

import datetime
import math
from email.utils import parsedate_to_datetime
from typing import Any

# A wait or a window that is longer is a mistake, and must not take an account away
# for good: the longest limit that upstream has ends within a month.
LONGEST_WAIT = 7 * 86_400.0
LONGEST_WINDOW = 31 * 86_400.0
# 2100-01-01: the last moment that every platform's dates, and columns, can hold.
LATEST = 4_102_444_800.0
# Times above this are milliseconds: as seconds it is the year 5138.
_MILLISECONDS_FROM = 1e11
_LONGEST_DATE = 64  # characters
# Far above the longest context. A key's limit must survive one answer's mistake.
LARGEST_COUNT = 10_000_000
LARGEST_SUM = 2**53
# Upstream goes a little above a hundred.
_LARGEST_PERCENT = 1_000.0


def number(value: Any) -> float | None:
    """A finite number, or a string that spells one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def count(value: Any, largest: int = LARGEST_COUNT) -> int:
    """A number of tokens; 0 for whatever is not one."""
    if type(value) is int and 0 <= value <= largest:
        return value  # nearly always
    found = number(value)
    return 0 if found is None else int(_clamp(found, largest))


def percent(value: Any) -> float | None:
    found = number(value)
    return None if found is None else _clamp(found, _LARGEST_PERCENT)


def seconds(value: Any, longest: float = LONGEST_WAIT) -> float | None:
    """A duration, from 0 to `longest`."""
    found = number(value)
    return None if found is None else _clamp(found, longest)


def window_minutes(value: Any) -> int | None:
    """The length of a rate-limit window; None unless it is positive."""
    found = number(value)
    return None if found is None else int(_clamp(found, LONGEST_WINDOW / 60)) or None


def unix_time(value: Any) -> float | None:
    """Unix seconds of a number of (milli)seconds or of a date (ISO 8601, RFC 9110).

    At most those of the year 2100; None for what is not after 1970.
    """
    at = number(value)
    if at is None:
        at = _date(value) if isinstance(value, str) else None
    elif at > _MILLISECONDS_FROM:
        at /= 1000
    return None if at is None or at <= 0 else min(at, LATEST)


def stored_time(milliseconds: int) -> float:
    """Unix seconds of a column, into which earlier releases put what they were told."""
    return _clamp(milliseconds / 1000, LATEST)


def reset_time(at: Any, after: Any, now: float) -> float | None:
    """Unix seconds at which a limit ends, told as a time or as seconds from now."""
    told = unix_time(at)
    if told is None:
        wait = seconds(after, LONGEST_WINDOW)
        told = None if wait is None else now + wait
    return None if told is None else min(told, now + LONGEST_WINDOW)


def retry_time(value: Any, now: float) -> float | None:
    """Seconds to wait by a Retry-After, which is a number of them or a date."""
    if number(value) is not None:
        return seconds(value)
    at = unix_time(value)
    return None if at is None else seconds(at - now)


def _clamp(value: float, largest: float) -> float:
    return min(max(value, 0.0), largest)


def _date(text: str) -> float | None:
    """Unix seconds; without a zone it is UTC."""
    text = text[:_LONGEST_DATE]
    for read in (datetime.datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=datetime.UTC)
            return moment.timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue  # the parsers' ways to say that this is no date
    return None
