"""What holds of one account, for all clients; pure, `now` (unix seconds) is given.

Facts are kept side by side, and the status is what they come to: an account that
is paused while it is limited is still limited when it is resumed. Each says who
found it, and on what evidence.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.protocol.failure_kind import FailureKind

# A mark that nothing confirmed lasts this long, then doubles each time it is renewed.
FIRST_MARK_SECONDS = 60.0
LONGEST_MARK_SECONDS = 600.0
TRIAL_SECONDS = 10.0

# The reason of a lost login that was an access token: upstream may take it again.
TOKEN_ENDED = "token_ended"

# The window of a limit that is a plan's or a balance's: its end is not known.
QUOTA = "quota"

# A clock may be set back by so much (seconds) without a mark being doubted.
CLOCK_SLACK = 60.0


class AccountStatus(StrEnum):
    ACTIVE = "active"
    COOLING = "cooling"
    LIMITED = "limited"
    PAUSED = "paused"
    REAUTH_REQUIRED = "reauth_required"
    TOKEN_ENDED = "token_ended"


@dataclass(frozen=True, slots=True)
class AccountLimit:
    """A used-up window or balance, from `since` until `until`."""

    window: str
    since: float
    until: float
    by: str = ""  # who found it; "": not known, as in rows of earlier releases
    is_confirmed: bool = True  # not only a refusal of some client's request


@dataclass(frozen=True, slots=True)
class Mark:
    """Why an account is left alone for a while."""

    kind: str  # of the failure
    by: str  # who found it
    evidence: str
    since: float
    until: float
    # Two clients met the same: the account is the last choice, not out of the question.
    is_suspicion: bool = False
    is_login: bool = False  # its token was refused


@dataclass(frozen=True, slots=True)
class LastFailure:
    message: str
    at: float


@dataclass(slots=True)
class AccountHealth:
    """Pause and login as the operator set them, limits and failures as found.

    After a mark, or a limit that was not confirmed, the account is on trial: one
    request at a time goes to it before others, until one has succeeded.
    """

    paused: bool = False
    login_reason: str | None = None
    login_by: str = ""
    login_since: float | None = None  # None: not known, as in rows of earlier releases
    limit: AccountLimit | None = None
    mark: Mark | None = None
    is_token_doubted: bool = False  # a turn met a 401, and none went well since
    is_renewed_in_vain: bool = False  # a new token was refused, too
    has_worked: bool = False  # since the latest renewal of its token after a 401
    is_contradicted: bool = False  # by a judge, the last limit it was told to have
    failures: int = 0  # marks without a success between
    on_trial: bool = False
    trial_running: bool = False
    trial_until: float = 0.0  # the others wait no longer for its outcome
    last_error: LastFailure | None = None

    @property
    def is_in_service(self) -> bool:
        """Neither paused nor in need of a login; limits and marks pass."""
        return not self.paused and self.login_reason is None

    def status(self, now: float) -> AccountStatus:
        if self.paused:
            return AccountStatus.PAUSED
        if self.login_reason == TOKEN_ENDED:
            return AccountStatus.TOKEN_ENDED
        if self.login_reason is not None:
            return AccountStatus.REAUTH_REQUIRED
        if self.limit is not None and now < self.limit.until:
            return AccountStatus.LIMITED
        if self.current_mark(now) is not None:
            return AccountStatus.COOLING
        return AccountStatus.ACTIVE

    def takes_requests(self, now: float) -> bool:
        """Whether it serves those who have no better one."""
        mark = self.current_mark(now)
        status = self.status(now)
        is_suspected = mark is not None and mark.is_suspicion
        return status is AccountStatus.ACTIVE or (
            status is AccountStatus.COOLING and is_suspected
        )

    def current_mark(self, now: float) -> Mark | None:
        mark = self.mark
        # One from the future is of a clock that was ahead: it would last for days.
        is_current = mark is not None and mark.since - CLOCK_SLACK <= now < mark.until
        return mark if is_current else None

    def is_login_refused(self, can_renew: bool) -> bool:
        """Whether a judge, or upstream's code, says that the login helps no more.

        A token that was refused says less, as long as it can be renewed.
        """
        mark, can_renew = self.mark, can_renew and not self.is_renewed_in_vain
        if mark is None or not mark.is_login:
            return self.login_reason is not None
        return mark.kind == FailureKind.LOGIN_REQUIRED or not can_renew

    def why(self, now: float) -> str:
        """The reason of the status and who found it, "" when active."""
        match self.status(now):
            case AccountStatus.PAUSED:
                return "paused by the operator"
            case AccountStatus.REAUTH_REQUIRED:
                return _with_source(self.login_reason or "", self.login_by)
            case AccountStatus.TOKEN_ENDED:
                return _with_source("its access token has ended", self.login_by)
            case AccountStatus.LIMITED if self.limit is not None:
                return _with_source(f"{self.limit.window} limit", self.limit.by)
            case AccountStatus.COOLING if self.mark is not None:
                text = f"{self.mark.kind}: {self.mark.evidence}"
                return _with_source(text, self.mark.by)
            case _:
                return ""

    def since(self, now: float) -> float | None:
        """When the status began, as far as is known: a pause is the audit's."""
        match self.status(now):
            case AccountStatus.REAUTH_REQUIRED | AccountStatus.TOKEN_ENDED:
                return self.login_since
            case AccountStatus.LIMITED:
                return self.limit.since if self.limit else None
            case AccountStatus.COOLING:
                return self.mark.since if self.mark else None
            case _:
                return None

    def until(self, now: float) -> float | None:
        """When the status ends by itself; None when it does not."""
        match self.status(now):
            case AccountStatus.LIMITED:
                return self.limit.until if self.limit else None
            case AccountStatus.COOLING:
                return self.mark.until if self.mark else None
            case _:
                return None

    def begin_trial(self, now: float) -> None:
        """One request goes first; if it hangs, another one does after a while."""
        self.trial_running, self.trial_until = True, now + TRIAL_SECONDS

    def is_tried(self, now: float) -> bool:
        """Whether a request is about to show whether the account is well."""
        return self.on_trial and self.trial_running and now < self.trial_until

    def trial_begins(self, now: float) -> float:
        """When the next request may be the trial."""
        return self.trial_until if self.is_tried(now) else now

    def next_pause(self) -> float:
        """Seconds of the next mark that nothing confirms; doubles with each."""
        return min(
            LONGEST_MARK_SECONDS, FIRST_MARK_SECONDS * 2.0 ** min(self.failures, 8)
        )

    def set_mark(self, mark: Mark) -> None:
        """Leave the account alone for a while, then try it with one request."""
        current = self.current_mark(mark.since)
        if current is None or mark.until >= current.until:
            self.mark = mark
        self.failures += current is None  # what many meet meanwhile is the same
        self.on_trial = True

    def set_limit(
        self, now: float, window: str, until: float, by: str = "its answer's headers"
    ) -> None:
        """A later end outranks an earlier one: both windows may be used up."""
        held = self.limit
        is_news = held is None or not held.is_confirmed or until >= held.until
        if until > now and is_news:
            self.limit = AccountLimit(window, now, until, by)
            self.is_contradicted = False

    def suppose_limit(self, now: float, window: str, until: float, by: str) -> None:
        """A refusal tells of a limit; until a judge has been asked, it is believed."""
        if self.is_contradicted:
            until = min(until, now + self.next_pause())
            self.failures += 1
        self.limit = AccountLimit(window, now, until, by, is_confirmed=False)

    def contradict_limit(self) -> None:
        """A judge knows nothing of the limit: it is tried before its end."""
        limit = self.limit
        if limit is None or limit.is_confirmed:
            return
        until = min(limit.until, limit.since + self.next_pause())
        self.limit = replace(limit, until=until)
        self.is_contradicted = self.on_trial = True

    def lift_limit(self) -> None:
        self.limit = None

    def succeed(self, started: float) -> None:
        """A request that began at `started` went well.

        One that began before the trouble proves nothing about its end.
        """
        if self.mark is not None and started < self.mark.since:
            return
        self.end_mark()

    def end_mark(self) -> None:
        """The account is well, whoever found it to be otherwise."""
        self.failures = 0
        self.mark = None
        self.is_token_doubted = self.is_contradicted = self.is_renewed_in_vain = False
        self.has_worked = True
        self.on_trial = self.trial_running = False

    def note(self, message: str, now: float) -> None:
        self.last_error = LastFailure(message[:300], now)

    def require_login(
        self, reason: str, by: str = "", since: float | None = None
    ) -> None:
        is_new = self.login_reason is None
        self.login_since = since if is_new else self.login_since or since
        self.login_reason, self.login_by = reason, by

    def logged_in(self) -> None:
        """New credentials: what the old ones did is forgotten."""
        self.login_reason = None
        self.end_mark()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """The operator wants it tried at once; a limit is upstream's word and stays."""
        self.paused = False
        self.end_mark()


def _with_source(text: str, by: str) -> str:
    return f"{text}, says {by}" if by else text
