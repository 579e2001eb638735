"""Durations and moments as people write them; all options for them are read here."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

MINUTE, HOUR, DAY = 60, 3600, 86400
_UNITS = {
    "s sec secs second seconds": 1,
    "m min mins minute minutes": MINUTE,
    "h hr hrs hour hours": HOUR,
    "d day days": DAY,
    "w wk wks week weeks": 7 * DAY,
    "mo mon month months": 30 * DAY,
    "y yr yrs year years": 365 * DAY,
}
_SECONDS = {word: size for words, size in _UNITS.items() for word in words.split()}
_PART = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([a-z]+)", re.ASCII)
_WHOLE = re.compile(rf"{_PART.pattern}(?:(?:, ?| and | ?){_PART.pattern})*", re.ASCII)
_LONGEST_TEXT = 100

# Besides ISO 8601; a slash or dot elsewhere would leave day and month in doubt.
_DATES = ("%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
USUAL_TIMES = (
    "90 minutes, 12h, 3 days, 2 weeks, 3 months, or a date (UTC) as in 2027-01-31"
)


def parse_duration(text: str) -> int | None:
    """Whole seconds of "90m", "1h 30min", "3 months" (of 30 days), "a week", "day".

    None for what is no duration.
    """
    plain = " ".join(text.lower().split())
    if plain in _SECONDS:
        return _SECONDS[plain]
    plain = re.sub(r"^an? ", "1 ", plain)
    if len(plain) > _LONGEST_TEXT or not _WHOLE.fullmatch(plain):
        return None
    parts = _PART.findall(plain)
    if any(unit not in _SECONDS for _, unit in parts):
        return None
    return round(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def parse_moment(text: str, now: float, *, ahead: bool, zone: tzinfo = UTC) -> float:
    """Unix seconds of a duration from `now` on, or back, or of a date in the zone.

    "3 days ago", "in 2 weeks", "tomorrow" say themselves which way; "this week" and
    "this month" are the beginnings of those of the calendar. Raises ValueError.
    """
    plain = " ".join(text.lower().split())
    if plain == "now":
        return now
    today = datetime.fromtimestamp(now, zone).date()
    days = _DAYS | {"this week": -today.weekday(), "this month": 1 - today.day}
    if plain in days:
        day = today + timedelta(days[plain])
        return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    way = 1 if ahead else -1
    if plain.endswith(" ago"):
        plain, way = plain.removesuffix(" ago"), -1
    elif plain.startswith("in "):
        plain, way = plain.removeprefix("in "), 1
    if ahead and re.fullmatch(r"[0-9]{1,6}m", plain, re.ASCII):
        raise ValueError(f"{text!r}: minutes or months? Write {plain}in or {plain}o")
    seconds = parse_duration(plain)
    if seconds is not None:
        return int(now) + way * seconds
    return _date(text.strip(), zone)


def _date(text: str, zone: tzinfo) -> float:
    for form in ("", *_DATES) if len(text) <= _LONGEST_TEXT else ():
        try:
            date = (
                datetime.strptime(text.replace(",", ""), form)
                if form
                else datetime.fromisoformat(text)
            )
            return date.replace(tzinfo=date.tzinfo or zone).timestamp()
        except (ValueError, OverflowError):
            continue
    usual = USUAL_TIMES.replace("UTC", str(zone))
    raise ValueError(f"{text[:_LONGEST_TEXT]!r}: give {usual}")


def short_duration(seconds: int) -> str:
    """A duration in the largest unit that it is a multiple of, as in 90m, 1h, 7d."""
    for unit, size in (("d", DAY), ("h", HOUR)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds // MINUTE}m"
