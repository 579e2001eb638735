"""A key's quota as response headers, as a report and as Codex's two windows."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from gateway.keys.counters import WindowCounter
from gateway.keys.key import Key, Measure
from gateway.keys.request_rate import RequestRate
from gateway.protocol.facts import Window, WindowName

# The names clients of such pages know; cost in micro-dollars.
_TYPES = {
    Measure.TOKENS: "total_tokens",
    Measure.INPUT: "input_tokens",
    Measure.OUTPUT: "output_tokens",
    Measure.COST: "cost_usd",
    Measure.REQUESTS: "requests",
}
# Codex shows two windows: a short one of hours and a long one of days.
_LONGEST_PRIMARY = 5 * 3600


def ratelimit_headers(
    key: Key, counters: Iterable[WindowCounter], rate: RequestRate, now: float
) -> dict[str, str]:
    """x-ratelimit-{limit,remaining,reset}-{requests,tokens}, the tightest of each.

    Reservations are not subtracted: most of them are given back, and a client that
    sees nothing remain pauses until the window ends.
    """
    requests, tokens = [], []
    for counter in counters:
        limit = counter.limit
        row = (counter.remaining, limit.maximum, counter.end - now)
        if limit.measure is Measure.REQUESTS:
            requests.append(row)
        elif limit.measure is not Measure.COST:
            tokens.append(row)
    if key.rpm:
        remaining, reset = rate.remaining(key, now)
        requests.append((remaining, key.rpm, reset))
    headers = {}
    for name, rows in (("requests", requests), ("tokens", tokens)):
        if rows:
            # Of two that are used up, the one that resets later.
            remaining, maximum, reset = min(rows, key=lambda row: (row[0], -row[2]))
            headers[f"x-ratelimit-limit-{name}"] = str(maximum)
            headers[f"x-ratelimit-remaining-{name}"] = str(remaining)
            headers[f"x-ratelimit-reset-{name}"] = format_duration(reset)
    return headers


def limit_rows(
    key: Key, counters: Iterable[WindowCounter], rate: RequestRate, now: float
) -> list[dict[str, Any]]:
    rows = []
    for counter in counters:
        limit = counter.limit
        row = _row(_TYPES[limit.measure], limit.window, limit.maximum, counter.used)
        row["reserved_value"] = min(counter.reserved, counter.remaining)
        row["model_filter"] = limit.model
        row["began_at"] = iso_time(counter.start)
        row["reset_at"] = iso_time(counter.end)
        rows.append(row)
    if key.rpm:
        remaining, reset = rate.remaining(key, now)
        rows.append(_row("requests", "rpm", key.rpm, key.rpm - remaining))
        rows[-1]["reset_at"] = iso_time(now + reset)
    if key.concurrency:
        running = min(key.concurrency, rate.running(key))
        rows.append(_row("concurrency", None, key.concurrency, running))
    return rows


def quota_windows(counters: Iterable[WindowCounter]) -> tuple[Window, ...]:
    """The fullest short window as the primary, the fullest long one as secondary.

    Limits of some models only are left out: reached, they do not stop other models.
    """
    fullest: dict[WindowName, Window] = {}
    for counter in counters:
        if counter.limit.model is not None:
            continue
        seconds = counter.limit.window_seconds
        name: WindowName = "primary" if seconds <= _LONGEST_PRIMARY else "secondary"
        percent = min(100.0, round(100 * counter.used / counter.limit.maximum, 1))
        other = fullest.get(name)
        if other is None or percent > other.used_percent:
            fullest[name] = Window(name, percent, seconds // 60, counter.end)
    return tuple(fullest[name] for name in sorted(fullest))


def format_duration(seconds: float) -> str:
    """As OpenAI writes it: 6m0s, 1h0m5s, 17ms."""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def iso_time(moment: float) -> str:
    """Unix seconds as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(kind: str, window: str | None, maximum: int, used: int) -> dict[str, Any]:
    return {
        "limit_type": kind,
        "limit_window": window,
        "max_value": maximum,
        "current_value": used,
        "reserved_value": 0,
        "remaining_value": max(0, maximum - used),
        "model_filter": None,
        "began_at": None,
        "reset_at": None,
        "source": "api_key",
    }
