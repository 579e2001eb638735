"""Hours, days and calendar weeks of a time zone, as groups of the roll-ups' hours.

An hour that holds a midnight, of a zone half an hour off, counts for the day it begins
in.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from gateway.store.log.log_rows import DAY_MS, HOUR_MS

Unit = Literal["hour", "day", "week"]

_WEEK_MS = 7 * DAY_MS
_FIRST_MONDAY_MS = 4 * DAY_MS  # 1970-01-05


def group_start(unit: Unit, zone: tzinfo, first: int, last: int) -> str:
    """SQL of the beginning of an hour's group, for hours from `first` to `last` (ms).

    Days and weeks are in the zone's own time, as if that were UTC.
    """
    if unit == "hour":
        return "start"
    local = f"(start + {_offset(zone, first, last)})"
    if unit == "day":
        return f"{local} / {DAY_MS} * {DAY_MS}"
    since = f"({local} - {_FIRST_MONDAY_MS})"
    return f"{since} / {_WEEK_MS} * {_WEEK_MS} + {_FIRST_MONDAY_MS}"


def moved_hours(zone: tzinfo, first: int, last: int) -> list[int]:
    """The hours (ms) that are of another day in the zone than in UTC.

    `first` begins a day of UTC; of the one that `last` is in all hours count.
    """
    found: list[int] = []
    for day in range(first, last + 1, DAY_MS):
        begin, end = _offset_at(zone, day), _offset_at(zone, day + DAY_MS)
        hours = range(day, day + DAY_MS, HOUR_MS)
        if begin != end:
            ahead = [hour + _offset_at(zone, hour) for hour in hours]
        else:
            ahead = [hour + begin for hour in hours]
        pairs = zip(hours, ahead, strict=True)
        found += [hour for hour, local in pairs if not 0 <= local - day < DAY_MS]
    return found


def _offset(zone: tzinfo, first: int, last: int) -> str:
    """SQL of what a zone's time is ahead of UTC at `start`, in ms."""
    now = _offset_at(zone, first)
    cases = []
    for day in range(first, last + DAY_MS, DAY_MS):
        if _offset_at(zone, day + DAY_MS) == now:
            continue
        for hour in range(day, day + DAY_MS + 1, HOUR_MS):
            if (then := _offset_at(zone, hour)) != now:
                cases.append(f"WHEN start < {hour} THEN {now}")
                now = then
    return f"CASE {' '.join(cases)} ELSE {now} END" if cases else str(now)


# Years end with 9999; a day before, for zones that are ahead.
_LATEST = 253_402_214_400_000


def _offset_at(zone: tzinfo, moment: int) -> int:
    moment = min(moment, _LATEST)
    offset = datetime.fromtimestamp(moment / 1000, zone).utcoffset()
    return int((offset or timedelta()).total_seconds()) * 1000


def group_name(unit: Unit, zone: tzinfo, start: int) -> str:
    """ "2026-11-30T14:00+01:00", "2026-11-30" or "2026-W49" (ISO 8601)."""
    if unit == "hour":
        moment = datetime.fromtimestamp(start / 1000, zone)
        return moment.isoformat(timespec="minutes")
    shape = {"day": "%Y-%m-%d", "week": "%G-W%V"}[unit]
    return datetime.fromtimestamp(start / 1000, UTC).strftime(shape)
