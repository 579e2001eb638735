"""The rate-limit windows that upstream's headers tell of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.protocol.facts import WINDOW_NAMES, Window
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
_NAMED_USED = re.compile(
    r"x-(codex-[a-z0-9-]{1,40})-(" + "|".join(WINDOW_NAMES) + ")-used-percent"
)
_NOT_OF_IDS = re.compile(r"[^a-z0-9_]+")
LONGEST_LIMIT_NAME = 64
# Of a window, before its pace means something: the first turns of a week say nothing.
LEAST_PASSED = 0.02
# Of limits of some models, that are kept of one account.
MOST_NAMED_WINDOWS = 16


@dataclass(frozen=True, slots=True)
class PolledUsage:
    """An account's usage as upstream reports it to a poll."""

    windows: tuple[Window, ...] = ()
    plan: str | None = None
    is_limited: bool | None = None  # None when it does not say
    has_credits: bool = False


class SeenWindow(NamedTuple):
    """A window with the date it was seen; live responses outrank polled ones."""

    window: Window
    at: float
    live: bool

    def used_percent(self, now: float) -> float:
        """0 once the window has been reset since."""
        resets_at = self.window.resets_at
        if resets_at is not None and resets_at <= now:
            return 0.0
        return self.window.used_percent

    def runs_out_at(self, now: float) -> float | None:
        """See `runs_out_at`; None where its length or end is not known, too."""
        minutes, until = self.window.window_minutes, self.window.resets_at
        if minutes is None or until is None or until <= now:
            return None
        since = until - minutes * 60
        return runs_out_at(self.window.used_percent / 100, since, until, self.at)


def runs_out_at(used: float, since: float, until: float, seen: float) -> float | None:
    """When a window is used up, at the pace it had from its beginning until `seen`.

    `used` is a share, times are unix seconds. None: it lasts until it ends, or too
    little of it has passed to say.
    """
    passed = seen - since
    if used >= 1:
        return seen
    if used <= 0 or passed < LEAST_PASSED * (until - since):
        return None
    end = since + passed / used
    return end if end < until else None


def windows(headers: Mapping[str, str], now: float) -> tuple[Window, ...]:
    """The account's windows in `x-codex-primary-*` and `x-codex-secondary-*`.

    `headers` do not mind the case; `now` in unix seconds.
    """
    found = []
    for name, used, minutes, reset in _WINDOW_FIELDS:
        percent = headers.get(used)
        if percent is None:
            continue
        told = percent, headers.get(minutes), headers.get(reset)
        window = window_of(name, *told, now)
        if window is not None:
            found.append(window)
    return (*found, *_named_windows(headers, now))


def _named_windows(headers: Mapping[str, str], now: float) -> list[Window]:
    """Those in `x-codex-X-primary-*` and `x-codex-X-secondary-*`."""
    found: list[Window | None] = []
    for header in headers:
        match = _NAMED_USED.fullmatch(header.lower())
        if match is None or len(found) >= MOST_NAMED_WINDOWS:
            continue
        prefix, place = match.groups()
        start = f"x-{prefix}-{place}"
        used, minutes = (headers.get(header), headers.get(f"{start}-window-minutes"))
        window = window_of(place, used, minutes, headers.get(f"{start}-reset-at"), now)
        name = headers.get(f"x-{prefix}-limit-name")
        found.append(of_limit(window, prefix, name))
    return [window for window in found if window is not None]


def of_limit(window: Window | None, id: str, name: str | None) -> Window | None:
    """The window as one of a limit of some models only."""
    if window is None:
        return None
    plain = _NOT_OF_IDS.sub("_", id.lower())[:LONGEST_LIMIT_NAME]
    label = "".join(c for c in name or plain if c.isprintable())[:LONGEST_LIMIT_NAME]
    return window._replace(name=f"{plain} {window.name}", limit=label or plain)


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
    name: str,
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
