"""Values as people read them: short, with their unit, and never a guess."""

import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from itertools import pairwise

from gateway.settings.zones import zone_named

__all__ = [
    "age",
    "byte_size",
    "day_text",
    "dollars",
    "heading_of",
    "hour_text",
    "milliseconds",
    "number_text",
    "percent_text",
    "plural",
    "span",
    "time_text",
    "token_count",
    "window_label",
]

MISSING = "—"
_zone = cache(zone_named)
_LARGE = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

# Headings of what went wrong: by its code, else by its status.
_HEADINGS: Mapping[str | int, str] = {
    "page_deadline": "This page took too long",
    "pages_busy": "Too many pages at once",
    "dashboard_closed": "The dashboard is closed here",
    "form_expired": "This form has expired",
    "form_already_sent": "This form was sent already",
    "changed_meanwhile": "Somebody else was quicker",
    "conflict": "There is one already",
    "sign_in_refused": "This did not sign you in",
    "role_lacking": "Your role does not allow this",
    400: "This cannot be done as it was asked for",
    403: "This is not allowed",
    404: "There is nothing here",
    409: "Something else has changed this",
    413: "This is too large",
    429: "Too many attempts",
    503: "Not now",
}


def time_text(seconds: float | None, zone: str) -> str:
    """A unix time to the second, in the dashboard's zone."""
    return _in_zone(seconds, zone, "%Y-%m-%d %H:%M:%S")


def hour_text(seconds: float | None, zone: str) -> str:
    """A unix time to the minute, as the start of an hour is shown."""
    return _in_zone(seconds, zone, "%Y-%m-%d %H:%M")


def day_text(seconds: float | None, zone: str) -> str:
    """The day that a unix time is of."""
    return _in_zone(seconds, zone, "%Y-%m-%d")


def _in_zone(seconds: float | None, zone: str, form: str) -> str:
    if seconds is None:
        return MISSING
    try:
        return datetime.fromtimestamp(seconds, _zone(zone)).strftime(form)
    except (OverflowError, ValueError, OSError):  # no year of ours
        return MISSING


def span(seconds: float | None) -> str:
    """A length of time in its two largest units: `3 d 4 h`, `1.5 s`, `40 ms`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    seconds = max(seconds, 0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (size, name), (next_size, next_name) in pairwise(_SPANS):
        if whole >= size:
            more = whole % size // next_size
            return f"{whole // size} {name}" + (f" {more} {next_name}" if more else "")
    return f"{whole} s"


def milliseconds(value: float | None) -> str:
    """The same of a number of milliseconds."""
    return MISSING if value is None else span(value / 1000)


def age(seconds: float | None, now: float) -> str:
    """How long ago, or in how long, a unix time is."""
    if seconds is None:
        return MISSING
    away = seconds - now
    if abs(away) < 1:
        return "now"
    length = span(abs(away) if abs(away) < 60 else abs(away) // 60 * 60)
    return f"in {length}" if away > 0 else f"{length} ago"


def number_text(number: float | None) -> str:
    """A whole number with its thousands apart."""
    return MISSING if number is None else f"{number:,.0f}"


def plural(number: float, one: str, many: str = "") -> str:
    """`1 key`, `2 keys`."""
    return f"{number_text(number)} {one if number == 1 else many or one + 's'}"


def token_count(number: float | None) -> str:
    """Three digits and the unit: `987`, `12.3k`, `4.05M`."""
    if number is None:
        return MISSING
    for size, unit in _LARGE:
        # What rounds up to the next unit is shown in it.
        if abs(number) >= size * 0.9995:
            scaled = number / size
            digits = 2 - (abs(scaled) >= 9.995) - (abs(scaled) >= 99.95)
            return f"{scaled:.{digits}f}{unit}"
    return f"{number:.0f}"


def dollars(microdollars: float | None) -> str:
    """Cents for larger sums, and enough digits that a small one is not 0."""
    if microdollars is None:
        return MISSING
    value = microdollars / 1e6
    digits = 2 if value == 0 or abs(value) >= 1 else 4 if abs(value) >= 0.01 else 6
    return f"{'-' if value < 0 else ''}${abs(value):,.{digits}f}"


def byte_size(number: float | None) -> str:
    """A size in its largest unit, of 1024."""
    if number is None:
        return MISSING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1023.95:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def percent_text(part: float | None, whole: float | None = 1) -> str:
    """A share; 0 % and 100 % are said only of what is exactly that."""
    if part is None or not whole:
        return MISSING
    share = 100 * part / whole
    if 0 < share < 1:
        return "< 1 %"
    if 99 < share < 100:
        return "> 99 %"
    return f"{share:.0f} %"


def heading_of(status: int, code: str) -> str:
    """What an error's page and notice begin with."""
    return _HEADINGS.get(code) or _HEADINGS.get(status) or "This did not work"


def window_label(minutes: float | None, name: str, limit: str | None = None) -> str:
    """A limit's window by its own length, whatever place upstream gives it."""
    length = name if minutes is None else span(minutes * 60)
    return f"{limit} {length}" if limit else length
