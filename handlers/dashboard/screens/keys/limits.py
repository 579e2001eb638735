"""A key's limits as pages show them: how full, until when, and what happens then."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from gateway.keys.counters import WindowCounter
from gateway.keys.key import Key, Limit, Measure
from gateway.keys.limiter import Limiter
from gateway.protocol.limit_windows import LEAST_PASSED, runs_out_at
from gateway.settings.zones import zone_named
from handlers.dashboard.formats import dollars, number_text, plural, token_count

_WORDS = {
    Measure.TOKENS: "Tokens",
    Measure.INPUT: "Input tokens",
    Measure.OUTPUT: "Output tokens",
    Measure.COST: "Cost",
    Measure.REQUESTS: "Requests",
}
_UNITS = {"m": "minute", "h": "hour", "d": "day"}
_zone = cache(zone_named)
_AMOUNTS = {Measure.COST: dollars, Measure.REQUESTS: number_text}


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit's running window, at one moment; times are unix seconds."""

    limit: Limit
    used: int
    began_at: float
    resets_at: float
    now: float

    @classmethod
    def of(cls, counter: WindowCounter, now: float) -> "LimitUse":
        return cls(counter.limit, counter.used, counter.start, counter.end, now)

    @property
    def label(self) -> str:
        words = f"{_WORDS[self.limit.measure]} per {_in_words(self.limit.window)}"
        return f"{words}, {self.limit.model}" if self.limit.model else words

    @property
    def share(self) -> float:
        return self.used / self.limit.maximum

    @property
    def passed(self) -> float:
        """How much of the window has passed."""
        return (self.now - self.began_at) / (self.resets_at - self.began_at)

    @property
    def used_text(self) -> str:
        return self._amount(self.used)

    @property
    def maximum_text(self) -> str:
        return self._amount(self.limit.maximum)

    @property
    def left_text(self) -> str:
        return self._amount(max(0, self.limit.maximum - self.used))

    @property
    def runs_out_at(self) -> float | None:
        """At the pace of this window; None: it lasts, or cannot be told yet."""
        return runs_out_at(self.share, self.began_at, self.resets_at, self.now)

    def _amount(self, amount: int) -> str:
        return _AMOUNTS.get(self.limit.measure, token_count)(amount)


def _in_words(window: str) -> str:
    """30d as 30 days; a single one without its number."""
    number, unit = int(window[:-1]), _UNITS[window[-1]]
    return {
        "1 day": "day",
        "7 day": "week",
        "1 hour": "hour",
        "1 minute": "minute",
    }.get(f"{number} {unit}", plural(number, unit))


def limit_uses(limiter: Limiter, key: Key, now: float) -> list[LimitUse]:
    """Of all limits of a key; on the loop, where the counters are."""
    return [LimitUse.of(one, now) for one in limiter.ledger.all_counters(key, now)]


def outlook(use: LimitUse, zone: str) -> str:
    """What happens next with a limit, in words."""
    anew = when(use.resets_at, use.now, zone)
    until = anew.removeprefix("on ")
    some = f" for {use.limit.model}" if use.limit.model else ""
    end, name = use.runs_out_at, f"the limit of {use.label[0].lower()}{use.label[1:]}"
    if use.share >= 1:
        return f"T{name[1:]} is used up: requests{some} are answered 429 until {until}."
    if end is not None:
        return (
            f"At this pace {name} is used up {when(end, use.now, zone)}; then requests"
            f"{some} are answered 429 until {until}."
        )
    if not use.used:
        return f"Nothing is used of {name}, which begins anew {anew}."
    if use.passed < LEAST_PASSED:
        return f"How long {name} lasts cannot be told yet; it begins anew {anew}."
    return f"At this pace {name} lasts until it begins anew {anew}."


def next_for_key(key: Key, uses: list[LimitUse], now: float, zone: str) -> list[str]:
    """What happens next with a key, what comes first first."""
    refused = "requests with this key are answered 401"
    if key.disabled:
        return [f"It is disabled: {refused}. What it was running goes on."]
    if key.is_expired(now):
        return [f"It ended {when(key.expires_at or 0, now, zone)}: {refused}."]
    told = [outlook(use, zone) for use in sorted(uses, key=_first_to_end)]
    if key.expires_at is not None:
        told.append(f"The key ends {when(key.expires_at, now, zone)}; then {refused}.")
    if key.has_overlap(now):
        until = when(key.old_expires_at, now, zone).removeprefix("on ")
        told.append(f"Its old token {key.old_prefix}… is good until {until}.")
    return told


def _first_to_end(use: LimitUse) -> float:
    """Where a limit stands in the order of what happens; those that last come last."""
    if use.share >= 1:
        return 0
    return use.runs_out_at or use.resets_at + 10 * (use.resets_at - use.began_at)


def when(at: float, now: float, zone: str) -> str:
    """A moment as one says it: tomorrow, on Thursday, on 12 Dec; with its time."""
    try:
        there = datetime.fromtimestamp(at, _zone(zone))
    except (OverflowError, ValueError, OSError):  # no year of ours
        return "later than any calendar has it"
    today = datetime.fromtimestamp(now, _zone(zone)).date()
    away = there.date() - today
    return f"{_day(there, away)} {there:%H:%M}"


def _day(there: datetime, away: timedelta) -> str:
    if abs(away.days) <= 1:
        return ("yesterday", "today", "tomorrow")[away.days + 1]
    if 0 < away.days < 7:
        return f"on {there:%A}"
    year = f" {there.year}" if abs(away.days) > 180 else ""
    return f"on {there.day} {there:%b}{year}"


def fullest(uses: list[LimitUse], most: int) -> Iterator[LimitUse]:
    yield from sorted(uses, key=lambda use: -use.share)[:most]
