"""The state machine of one account; pure, `now` (unix seconds) is an argument.

Facts are kept side by side, and the status is what they come to: an account that
is paused while it is limited is still limited when it is resumed.
"""

from dataclasses import dataclass
from enum import StrEnum


class AccountStatus(StrEnum):
    ACTIVE = "active"
    COOLING = "cooling"
    LIMITED = "limited"
    PAUSED = "paused"
    REAUTH_REQUIRED = "reauth_required"


@dataclass(frozen=True, slots=True)
class AccountLimit:
    """A used-up window, from `since` until `until`."""

    window: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last failure of an account."""

    message: str
    at: float


@dataclass(slots=True)
class AccountHealth:
    """Pause and login as the operator set them, limits and failures as observed.

    After a cooldown the account is on trial: one request at a time goes to it,
    until one has succeeded.
    """

    paused: bool = False
    login_reason: str | None = None
    limit: AccountLimit | None = None
    cooling_until: float = 0.0
    cooling_why: str = ""
    cooled_at: float = 0.0
    failures: int = 0  # consecutive, at most one for each request
    on_trial: bool = False
    trial_running: bool = False
    last_error: Trouble | None = None

    @property
    def is_in_service(self) -> bool:
        """Neither paused nor in need of a login; limits and cooldowns pass."""
        return not self.paused and self.login_reason is None

    def status(self, now: float) -> AccountStatus:
        if self.paused:
            return AccountStatus.PAUSED
        if self.login_reason is not None:
            return AccountStatus.REAUTH_REQUIRED
        if self.limit is not None and now < self.limit.until:
            return AccountStatus.LIMITED
        if now < self.cooling_until:
            return AccountStatus.COOLING
        return AccountStatus.ACTIVE

    def why(self, now: float) -> str:
        """The reason of the status, "" when active."""
        match self.status(now):
            case AccountStatus.PAUSED:
                return "paused by the operator"
            case AccountStatus.REAUTH_REQUIRED:
                return self.login_reason or ""
            case AccountStatus.LIMITED:
                return f"{self.limit.window} limit" if self.limit else ""
            case AccountStatus.COOLING:
                return self.cooling_why
            case _:
                return ""

    def until(self, now: float) -> float | None:
        """When the status ends by itself; None when it does not."""
        match self.status(now):
            case AccountStatus.LIMITED:
                return self.limit.until if self.limit else None
            case AccountStatus.COOLING:
                return self.cooling_until
            case _:
                return None

    def cool(self, now: float, seconds: float, why: str) -> None:
        """Leave the account alone for a while, then try it with one request."""
        self.cooled_at = now
        self.cooling_until = max(self.cooling_until, now + seconds)
        self.cooling_why = why
        self.on_trial = True

    def set_limit(self, now: float, window: str, until: float) -> None:
        """A later end outranks an earlier one: both windows may be used up."""
        if until > now and (self.limit is None or until >= self.limit.until):
            self.limit = AccountLimit(window, now, until)

    def lift_limit(self) -> None:
        self.limit = None

    def succeed(self, started: float) -> None:
        """A request that began at `started` went well.

        One that began before the trouble proves nothing about its end.
        """
        if started < self.cooled_at:
            return
        self.failures = 0
        self.cooling_until = 0.0
        self.on_trial = self.trial_running = False

    def note(self, message: str, now: float) -> None:
        self.last_error = Trouble(message[:300], now)

    def require_login(self, reason: str) -> None:
        self.login_reason = reason

    def logged_in(self) -> None:
        """New credentials: what the old ones did is forgotten."""
        self.login_reason = None
        self._forgive()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """The operator wants it tried at once; a limit is upstream's word and stays."""
        self.paused = False
        self._forgive()

    def _forgive(self) -> None:
        self.failures = 0
        self.cooling_until = 0.0
        self.on_trial = self.trial_running = False
