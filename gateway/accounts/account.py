"""One upstream account: identity, credentials, models, usage and health.

Pure; `now` (unix seconds) is an argument everywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from gateway.accounts.health import TOKEN_ENDED, AccountHealth
from gateway.keys.shared.share import Share
from gateway.protocol.facts import Catalogue, Window
from gateway.protocol.limit_windows import (
    MOST_NAMED_WINDOWS,
    PolledUsage,
    SeenWindow,
)
from gateway.secret import Secret

# Accounts billed per token serve only when no subscription can.
SUBSCRIPTION_PRIORITY = 0
API_KEY_PRIORITY = 100
DEFAULT_CONCURRENCY = 1_000
# Credits of a weekly window, of which only the proportions matter here.
PLAN_CAPACITY = {"free": 1_134.0, "pro": 50_400.0, "enterprise": 50_400.0}
DEFAULT_CAPACITY = 7_560.0  # plus, business, team, edu
# A window this full takes no new conversation while another account can.
DRAINING_PERCENT = 95.0
# A refused model is asked for again after this, then after twice as long.
FIRST_REFUSAL_SECONDS = 60.0
LONGEST_REFUSAL_SECONDS = 600.0
MAX_REFUSALS = 64
SETTLE_SECONDS = 60.0
BY_USAGE = "its usage"

CredentialsKind = Literal["login", "access_token", "api_key"]


class AccountKind(StrEnum):
    CHATGPT = "chatgpt"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Tokens of a login, or one API key; `expires_at` in unix seconds."""

    access_token: Secret | None = None
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    api_key: Secret | None = None
    expires_at: float | None = None

    @property
    def bearer(self) -> Secret | None:
        """What goes into the Authorization header."""
        return self.access_token if self.api_key is None else self.api_key

    @property
    def is_access_token(self) -> bool:
        """Whether there is nothing to renew it by: once it has ended, it has ended."""
        return self.access_token is not None and self.refresh_token is None

    @property
    def kind(self) -> CredentialsKind:
        if self.api_key is not None:
            return "api_key"
        return "access_token" if self.is_access_token else "login"

    @property
    def fingerprint(self) -> str:
        """A digest that tells these tokens from others."""
        held = (self.bearer, self.refresh_token)
        tokens = "\n".join(token.reveal() for token in held if token)
        return blake2b(tokens.encode(), digest_size=8).hexdigest()

    def has_same_tokens(self, other: "Credentials") -> bool:
        return (self.bearer, self.refresh_token) == (other.bearer, other.refresh_token)


class ModelRefusal(NamedTuple):
    """Upstream's code: this account does not have a model, for so many seconds."""

    until: float
    seconds: float


@dataclass(slots=True, eq=False)
class Account:
    id: int
    name: str
    kind: AccountKind = AccountKind.CHATGPT
    base_url: str | None = None  # of an account with an API key
    chatgpt_account_id: str | None = None
    chatgpt_user_id: str = ""
    email: str | None = None
    plan: str | None = None
    priority: int = SUBSCRIPTION_PRIORITY  # lower goes first
    concurrency: int = 0  # requests at a time; 0: the default
    websockets: bool = True
    residency: str = ""  # where its data is to stay, as its owner set it
    takes_chat_parameters: bool = False  # those without a counterpart, too
    source_path: str | None = None  # auth.json it was imported from
    credentials: Credentials = field(default_factory=Credentials)
    health: AccountHealth = field(default_factory=AccountHealth)
    catalogue: Catalogue | None = None
    windows: dict[str, SeenWindow] = field(default_factory=dict)
    # Of limits of some models only: shown, and nothing follows from them.
    named_windows: dict[str, SeenWindow] = field(default_factory=dict)
    has_credits: bool = False  # goes on beyond a used-up window
    refused_models: dict[str, ModelRefusal] = field(default_factory=dict)
    model_limits: dict[str, float] = field(default_factory=dict)  # until, by model
    in_flight: int = 0
    share: Share | None = None  # of its set cap; None: all of it is this process's
    last_choice: int = 0  # number of the pool's last choice of this account

    @property
    def is_chatgpt(self) -> bool:
        return self.kind is AccountKind.CHATGPT

    @property
    def form(self) -> dict[str, bool]:
        """What decides in which form a request goes to it."""
        is_marked = self.takes_chat_parameters
        return {"chatgpt_account": self.is_chatgpt, "takes_chat_parameters": is_marked}

    @property
    def is_login_refused(self) -> bool:
        return self.health.is_login_refused(self.credentials.refresh_token is not None)

    @property
    def cap(self) -> int:
        """Requests at a time."""
        return self.concurrency or DEFAULT_CONCURRENCY

    @property
    def is_full(self) -> bool:
        most = self.cap if self.share is None else min(self.cap, self.share.granted)
        return self.in_flight >= most

    def serves(self, model: str | None, now: float) -> bool:
        """Whether it has the model; without a catalogue, whether it was not refused."""
        if model is None:
            return True
        refusal = self.refused_models.get(model)
        if refusal is not None and refusal.until > now:
            return False
        return self.catalogue is None or model in self.catalogue.models

    def refuse_model(self, model: str, now: float) -> None:
        before = self.refused_models.pop(model, None)
        seconds = min(
            LONGEST_REFUSAL_SECONDS,
            FIRST_REFUSAL_SECONDS if before is None else 2 * before.seconds,
        )
        self.refused_models[model] = ModelRefusal(now + seconds, seconds)
        _bound(self.refused_models)

    def limit_model(self, model: str, until: float) -> None:
        """A limit of this model alone is used up; others are served."""
        self.model_limits[model] = until
        _bound(self.model_limits)

    def grant_model(self, model: str | None) -> None:
        """A request for the model went well."""
        if model is not None:
            self.refused_models.pop(model, None)
            self.model_limits.pop(model, None)

    def record_windows(self, windows: Iterable[Window], now: float) -> None:
        """Take over windows of a live response; a used-up one limits the account."""
        for window in windows:
            self._see(window, now, live=True)
            resets_at = None if window.limit else window.resets_at
            if window.used_percent >= 100 and resets_at and not self.has_credits:
                self.health.set_limit(now, window.name, resets_at)

    def record_usage(self, usage: PolledUsage, asked_at: float, now: float) -> None:
        """Take over polled usage; windows seen live since it was asked for stay."""
        self.plan = usage.plan or self.plan
        self.has_credits = usage.has_credits
        is_outdated = False
        if usage.windows:
            self._forget_windows(asked_at)
        for window in usage.windows:
            if window.name in self.windows:
                is_outdated = True
            else:
                self._see(window, now, live=False)
        if is_outdated or usage.is_limited is None:
            return
        if usage.is_limited and not usage.has_credits:
            self._limit_by((one for one in usage.windows if one.limit is None), now)
        elif not usage.is_limited:
            self._lift_limit(asked_at)

    def all_windows(self) -> list[SeenWindow]:
        """The account's own, then those of limits of some models only."""
        return [*self.windows.values(), *self.named_windows.values()]

    def _see(self, window: Window, now: float, *, live: bool) -> None:
        held = self.windows if window.limit is None else self.named_windows
        held[window.name] = SeenWindow(window, now, live)
        _bound(held, MOST_NAMED_WINDOWS)

    def _forget_windows(self, asked_at: float) -> None:
        """Upstream tells all there are: one that it moved must not be there twice."""
        self.named_windows.clear()
        for name, seen in tuple(self.windows.items()):
            if not (seen.live and seen.at >= asked_at):
                del self.windows[name]

    def _limit_by(self, windows: Iterable[Window], now: float) -> None:
        fullest = max(windows, key=lambda one: one.used_percent, default=None)
        if fullest is not None and fullest.resets_at is not None:
            self.health.set_limit(now, fullest.name, fullest.resets_at, BY_USAGE)

    def _lift_limit(self, asked_at: float) -> None:
        """Upstream's polled numbers lag behind its refusals, so a young limit stays."""
        limit = self.health.limit
        if limit is not None and asked_at - limit.since >= SETTLE_SECONDS:
            self.health.lift_limit()
        else:
            self.health.contradict_limit()

    def weekly_left(self, now: float) -> float:
        """Share (0 to 1) left of the longest window; 1 when nothing is known."""
        if not self.windows:
            return 1.0
        longest = max(
            self.windows.values(),
            key=lambda seen: (seen.window.window_minutes or 0, seen.window.name),
        )
        return max(0.0, 1.0 - longest.used_percent(now) / 100)

    def capacity_left(self, now: float) -> float:
        """What is left of the weekly window times the plan's capacity."""
        capacity = PLAN_CAPACITY.get((self.plan or "").lower(), DEFAULT_CAPACITY)
        return capacity * self.weekly_left(now)

    def is_draining(self, now: float) -> bool:
        windows = self.windows.values()
        return any(seen.used_percent(now) >= DRAINING_PERCENT for seen in windows)

    def update(self, stored: "Account") -> None:
        """Take over what the database says and keep what only this process knows."""
        for name in (
            *("name", "kind", "base_url", "email", "plan", "chatgpt_account_id"),
            *("priority", "concurrency", "websockets", "source_path"),
            *("chatgpt_user_id", "residency", "takes_chat_parameters"),
        ):
            setattr(self, name, getattr(stored, name))
        if self._is_better_with(stored.credentials):
            self.credentials = stored.credentials
            self.health.logged_in()
        is_about_ours = stored.credentials.has_same_tokens(self.credentials)
        is_lost = stored.credentials.bearer is None  # nobody can decrypt them
        lost = stored.health
        reason, by = lost.login_reason, lost.login_by
        if reason is not None and (is_about_ours or is_lost):
            self.health.require_login(reason, by, lost.login_since)
        elif is_about_ours and self.health.login_reason == TOKEN_ENDED:
            self.health.logged_in()  # the same was imported again, and upstream took it
        self._learn_usage(stored)
        if stored.health.paused != self.health.paused:
            (self.health.pause if stored.health.paused else self.health.resume)()

    def _learn_usage(self, stored: "Account") -> None:
        """What another process has seen later than anything here."""
        latest = max((seen.at for seen in self.windows.values()), default=0.0)
        news = {name: seen for name, seen in stored.windows.items() if seen.at > latest}
        if not news:
            return
        self.windows |= news
        self.has_credits = stored.has_credits
        limit, held = stored.health.limit, self.health.limit
        if limit is not None and limit.since >= latest:
            self.health.limit = limit
        elif limit is None and held is not None:
            newest = max(seen.at for seen in news.values())
            if newest - held.since >= SETTLE_SECONDS:
                self.health.lift_limit()

    def _is_better_with(self, stored: Credentials) -> bool:
        """Rows may have been read just before a rotated token was written."""
        held = self.credentials
        if stored.has_same_tokens(held) or stored.bearer is None:
            return False
        is_lost = self.health.login_reason is not None
        if is_lost or stored.is_access_token or held.is_access_token:
            return True
        return (stored.expires_at or 0) >= (held.expires_at or 0)


def _bound(entries: dict[str, Any], most: int = MAX_REFUSALS) -> None:
    while len(entries) > most:
        del entries[next(iter(entries))]
