"""API keys: tokens, what a key may do, and the ring that finds a key by its token."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache

from gateway.keys.request_rules import NO_RULES, RequestRules
from gateway.keys.texts.times import (
    DAY,
    MINUTE,
    parse_duration,
    parse_moment,
    short_duration,
)
from gateway.settings import UNPRICED

# An effort or a tier: which there are is upstream's business, and each may be new.
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,15}", re.ASCII)

TOKEN_START = "sk-cgw-"
# Enough to tell keys apart in a list, too little to guess the rest of 32 bytes.
PREFIX_LENGTH = len(TOKEN_START) + 8
# Ours have 50 characters; hashing a header of 64 KiB would be a gift to a flood.
_LONGEST_TOKEN = 200

LONGEST_LIMIT_WINDOW = 365 * DAY
_MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_LARGEST_MAXIMUM = 10**15  # far above any budget, far below a 64-bit column
_LONGEST_LIMIT = 300  # characters
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

_LIMIT = re.compile(
    r"(?P<measure>[a-z]+)\s+\$?(?P<amount>[0-9]{1,16}(?:\.[0-9]{1,6})?)(?P<suffix>[kmg]?)"
    r"\s*(?:/|\bper\b)\s*(?P<window>[0-9a-z., ]+?)(?:\s+model=(?P<model>\S+))?"
    r"(?P<open>\s+open)?",
    re.IGNORECASE | re.ASCII,
)


class Measure(StrEnum):
    """What a limit counts; cost in micro-dollars."""

    TOKENS = "tokens"
    INPUT = "input"
    OUTPUT = "output"
    COST = "cost"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` of a measure per window, for the models the glob names."""

    id: int  # of its row; 0 before it is stored
    measure: Measure
    maximum: int  # tokens, requests or micro-dollars
    window: str  # as `short_duration` writes it
    model: str | None = None  # glob; None: every model
    # Whether turns go on while the database is away, and with it what others use.
    is_open: bool = False

    @property
    def window_seconds(self) -> int:
        return seconds_of(self.window)

    def applies_to(self, model: str | None) -> bool:
        return self.model is None or fnmatchcase(model or "", self.model)

    def __str__(self) -> str:
        """The text `parse_limit` reads."""
        amount = str(self.maximum)
        if self.measure is Measure.COST:
            amount = f"{Decimal(self.maximum) / 1_000_000:f}"
        text = f"{self.measure} {amount}/{self.window}"
        text = text if self.model is None else f"{text} model={self.model}"
        return f"{text} open" if self.is_open else text


@dataclass(frozen=True, slots=True)
class Key:
    """What one key may do. Never holds the token, only its digest."""

    id: int
    name: str
    prefix: str
    digest: str = field(repr=False)  # SHA-256 of the token, hex
    created_at: int  # whole unix seconds: the windows of its limits step from here
    old_prefix: str | None = None  # of the token before, while that is good, too
    old_digest: str | None = field(default=None, repr=False)
    old_expires_at: float = 0.0
    expires_at: float | None = None  # unix seconds
    disabled: bool = False
    models: tuple[str, ...] = ()  # globs; empty: every model
    enforced_model: str | None = None
    enforced_effort: str | None = None
    enforced_tier: str | None = None
    accounts: frozenset[int] | None = None  # None: every account
    limits: tuple[Limit, ...] = ()
    rpm: int | None = None
    concurrency: int | None = None
    unpriced: str | None = None  # one of UNPRICED; None: as for all keys
    rules: RequestRules = NO_RULES
    user_id: int | None = None  # whose seat it is, which has devices and no token

    @property
    def is_visitor(self) -> bool:
        """Whether it is the doctor's, whose requests leave no row."""
        return self.id < 0

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def has_overlap(self, now: float) -> bool:
        """Whether the token before is still good."""
        return self.old_digest is not None and now < self.old_expires_at

    def allows(self, model: str) -> bool:
        """Asked after enforcement: what counts is the model that goes upstream."""
        return not self.models or any(fnmatchcase(model, glob) for glob in self.models)

    def refuses_unpriced(self, model: str | None, by_default: str) -> bool:
        """Whether a cost limit refuses what it cannot count; `by_default`: of all."""
        return (self.unpriced or by_default) == UNPRICED[1] and any(
            limit.measure is Measure.COST and limit.applies_to(model)
            for limit in self.limits
        )

    def has_closed_limit(self, model: str | None) -> bool:
        """Whether a limit refuses turns of which it cannot be known that they fit."""
        return any(
            not limit.is_open and limit.applies_to(model) for limit in self.limits
        )

    @property
    def is_restricted(self) -> bool:
        """Whether a second `model` in the client's bytes could get around a rule."""
        return bool(
            self.models
            or self.enforced_model
            or self.enforced_effort
            or self.enforced_tier
            or self.accounts is not None
            or self.rules.tools
            or any(
                limit.model is not None or limit.measure is Measure.COST
                for limit in self.limits
            )
        )


def is_word(text: str) -> bool:
    """Whether it may be the name of a reasoning effort or a service tier."""
    return _WORD.fullmatch(text) is not None


def plain_word(text: str | None) -> str | None:
    """An effort or a tier as the log may have it; a client may send any text."""
    return text if text is None or is_word(text) else "other"


class Flaw(StrEnum):
    """Why a token opens nothing; for the owner, and never for who presents it."""

    UNKNOWN = "the key is unknown"
    ROTATED = "the key was rotated, and this is its old token"
    DISABLED = "the key is disabled"
    EXPIRED = "the key has expired"
    SIGNED_OUT = "the device was signed out"
    STALE = "the device's access token has expired"
    SEAT = "the device's seat is disabled or has expired"


class KeyRing:
    """All keys, in memory; what requests are checked against."""

    def __init__(self) -> None:
        self.ever_made = False
        self._by_digest: dict[str, Key] = {}
        self._by_old_digest: dict[str, Key] = {}
        self._by_id: dict[int, Key] = {}

    def replace(self, keys: Iterable[Key], *, ever_made: bool = False) -> None:
        """Replace all keys.

        `ever_made`: keys once existed. It stays true: an owner who removes the last
        key does not mean to admit everybody.
        """
        self._by_digest = {key.digest: key for key in keys}
        self._by_old_digest = {key.old_digest: key for key in self if key.old_digest}
        self._by_id = {key.id: key for key in self}
        self.ever_made = self.ever_made or ever_made or bool(self._by_digest)

    def check(self, token: str, now: float) -> tuple[Key | None, Flaw | None]:
        """Whose token it is, and why it opens nothing nevertheless."""
        if not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii():
            return None, Flaw.UNKNOWN
        hashed = digest(token)
        key = self._by_digest.get(hashed)
        is_old = key is None
        key = key or self._by_old_digest.get(hashed)
        # The lookup is by a hash the caller cannot choose; the comparison takes
        # the same time wherever the digests differ.
        kept = "" if key is None else key.old_digest or "" if is_old else key.digest
        if key is None or not hmac.compare_digest(kept, hashed):
            return None, Flaw.UNKNOWN
        if is_old and not key.has_overlap(now):
            return key, Flaw.ROTATED
        if key.disabled:
            return key, Flaw.DISABLED
        return key, Flaw.EXPIRED if key.is_expired(now) else None

    def get(self, key_id: int) -> Key | None:
        return self._by_id.get(key_id)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._by_digest.values()))

    def __len__(self) -> int:
        return len(self._by_digest)


def generate() -> str:
    """A new token; shown once, then only its digest and prefix are kept."""
    return TOKEN_START + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """SHA-256, hex. No salt and no stretching: the token has 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def prefix(token: str) -> str:
    return token[:PREFIX_LENGTH]


def parse_expiry(text: str, now: float) -> int:
    """Unix seconds of "12h", "3 months" from now, or of a date (UTC).

    Raises ValueError, also for a moment that has passed.
    """
    try:
        moment = int(parse_moment(text, now, ahead=True))
    except ValueError as error:
        raise ValueError(f"expiry {error}") from error
    if not now < moment < _LATEST:
        raise ValueError(f"expiry {text!r} is not in the future or too far in it")
    return moment


@cache
def seconds_of(window: str) -> int:
    """Of a limit's window, as it is stored."""
    return parse_duration(window) or DAY


def parse_limit(text: str) -> Limit:
    """Read "tokens 2M/7d" or "cost 5.50/30d model=gpt-5*"; cost is in dollars.

    Raises ValueError with what is wrong. The limit has no id yet.
    """
    match = _LIMIT.fullmatch(text.strip()) if len(text) <= _LONGEST_LIMIT else None
    if match is None:
        raise ValueError(
            f"limit {text!r}: write MEASURE AMOUNT/WINDOW [model=GLOB] [open], "
            "as in 'tokens 2M/7d' or 'cost 5.50/30d model=gpt-5*'"
        )
    name, seconds = match["measure"].lower(), parse_duration(match["window"]) or 0
    if name not in list(Measure):
        raise ValueError(f"limit {text!r}: measure is one of {', '.join(Measure)}")
    if seconds % MINUTE or not MINUTE <= seconds <= LONGEST_LIMIT_WINDOW:
        raise ValueError(
            f"limit {text!r}: a window has whole minutes, up to a year, "
            "as in 1h, 7d, 3 months"
        )
    measure = Measure(name)
    amount = Decimal(match["amount"]) * _MULTIPLES[match["suffix"].lower()]
    if measure is Measure.COST:
        amount *= 1_000_000
    if amount != int(amount) or not 0 < amount <= _LARGEST_MAXIMUM:
        raise ValueError(f"limit {text!r}: the amount is not a whole positive number")
    window, is_open = short_duration(seconds), match["open"] is not None
    return Limit(0, measure, int(amount), window, match["model"], is_open)
