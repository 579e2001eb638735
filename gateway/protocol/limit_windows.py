"""The rate-limit windows that upstream's headers tell of."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.protocol.facts import WINDOW_NAMES, Window, WindowName
from gateway.protocol.numbers import percent, reset_time, window_minutes

_WINDOW_FIELDS = tuple(
    (
        name,
        f"x-codex-{name}-used-percent",
        f"x-codex-{name}-window-minutes",
        f"x-codex-{name}-reset-at",
    )
    for name in WINDOW_NAMES
)
_NAMED_LIMIT = re.compile(r"codex_[a-z0-9_]{1,40}")


def windows(headers: Mapping[str, str], now: float) -> tuple[Window, ...]:
    """The account's windows in `x-codex-primary-*` and `x-codex-secondary-*`.

    `headers` do not mind the case; `now` in unix seconds.
    """
    found = []
    for name, used, minutes, reset in _WINDOW_FIELDS:
        told = headers.get(used), headers.get(minutes), headers.get(reset)
        window = window_of(name, *told, now)
        if window is not None:
            found.append(window)
    return tuple(found)


def named_limit(headers: Mapping[str, str]) -> str | None:
    """The limit of some models only that an answer tells of; None: the account's."""
    lower = {name.lower(): value for name, value in headers.items()}
    name = lower.get("x-codex-active-limit", "").strip().lower()
    return name if _NAMED_LIMIT.fullmatch(name) else None


def full_until(
    headers: Mapping[str, str], limit: str | None, now: float
) -> float | None:
    """When the last window is reset of which nothing remains; None: all have some."""
    lower = {name.lower(): value for name, value in headers.items()}
    prefix = f"x-{(limit or 'codex').replace('_', '-')}"
    found = [
        window_of(
            name,
            lower.get(f"{prefix}-{name}-used-percent"),
            None,
            lower.get(f"{prefix}-{name}-reset-at"),
            now,
        )
        for name in WINDOW_NAMES
    ]
    resets = [one.resets_at for one in found if one and one.used_percent >= 100]
    return max((at for at in resets if at is not None), default=None)


def window_of(
    name: WindowName,
    used_percent: Any,
    minutes: Any,
    resets_at: Any,
    now: float,
) -> Window | None:
    """One window of what was told about it; None without a used percentage."""
    used = percent(used_percent)
    if used is None:
        return None
    return Window(name, used, window_minutes(minutes), reset_time(resets_at, None, now))
