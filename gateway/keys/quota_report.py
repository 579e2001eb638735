"""How a key stands: its limits as headers, as a report and as Codex's windows."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from gateway.keys.counters import Counter
from gateway.keys.key import Key, Measure
from gateway.keys.request_rate import RequestRate
from gateway.protocol.facts import Window

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
    key: Key, counters: Iterable[Counter], rates: RequestRate, now: float
) -> dict[str, str]:
    """x-ratelimit-{limit,remaining,reset}-{requests,tokens}, the tightest of each.

    What running turns hold is not taken off: most of it comes back, and a client
    that sees nothing left stays away until the window ends.
    """
    requests, tokens = [], []
    for counter in counters:
        limit = counter.limit
        row = (_left(counter), limit.maximum, counter.end - now)
        if limit.measure is Measure.REQUESTS:
            requests.append(row)
        elif limit.measure is not Measure.COST:
            tokens.append(row)
    if key.rpm:
        left, reset = rates.left(key, now)
        requests.append((left, key.rpm, reset))
    headers = {}
    for name, rows in (("requests", requests), ("tokens", tokens)):
        if rows:
            # Of two that are used up, the one that keeps the client out longer.
            left, maximum, reset = min(rows, key=lambda row: (row[0], -row[2]))
            headers[f"x-ratelimit-limit-{name}"] = str(maximum)
            headers[f"x-ratelimit-remaining-{name}"] = str(left)
            headers[f"x-ratelimit-reset-{name}"] = duration(reset)
    return headers


def limit_rows(
    key: Key, counters: Iterable[Counter], rates: RequestRate, now: float
) -> list[dict[str, Any]]:
    rows = [
        {
            "limit_type": _TYPES[counter.limit.measure],
            "limit_window": counter.limit.window,
            "max_value": counter.limit.maximum,
            "current_value": counter.used,
            "reserved_value": min(counter.reserved, _left(counter)),
            "remaining_value": _left(counter),
            "model_filter": counter.limit.model,
            "reset_at": _iso(counter.end),
            "source": "api_key",
        }
        for counter in counters
    ]
    if key.rpm:
        left, reset = rates.left(key, now)
        rows.append(_rate_row("requests", "rpm", key.rpm, left))
        rows[-1]["reset_at"] = _iso(now + reset)
    if key.concurrency:
        left = max(0, key.concurrency - rates.running(key))
        rows.append(_rate_row("concurrency", None, key.concurrency, left))
    return rows


def windows(counters: Iterable[Counter]) -> tuple[Window, ...]:
    """The fullest short window as the primary, the fullest long one as secondary.

    Limits of some models only are left out: reached, they do not stop the rest.
    """
    fullest: dict[Literal["primary", "secondary"], Window] = {}
    for counter in counters:
        if counter.limit.model is not None:
            continue
        seconds = counter.limit.seconds
        name: Literal["primary", "secondary"] = (
            "primary" if seconds <= _LONGEST_PRIMARY else "secondary"
        )
        percent = min(100.0, round(100 * counter.used / counter.limit.maximum, 1))
        other = fullest.get(name)
        if other is None or percent > other.used_percent:
            fullest[name] = Window(name, percent, seconds // 60, counter.end)
    return tuple(fullest[name] for name in sorted(fullest))


def duration(seconds: float) -> str:
    """As OpenAI writes it: 6m0s, 1h0m5s, 17ms."""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _left(counter: Counter) -> int:
    return max(0, counter.limit.maximum - counter.used)


def _rate_row(kind: str, window: str | None, maximum: int, left: int) -> dict[str, Any]:
    return {
        "limit_type": kind,
        "limit_window": window,
        "max_value": maximum,
        "current_value": maximum - left,
        "reserved_value": 0,
        "remaining_value": left,
        "model_filter": None,
        "reset_at": None,
        "source": "api_key",
    }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
