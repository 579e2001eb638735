"""Verdicts: what holds for all clients, and on whose word. Pure.

A verdict comes from a judge's answer (`rule`, of the gateway's own calls), from a code
that upstream itself sets, or from two clients that met the same without a success
between. All else that a client's request draws stays its own: see `suspicion`.
"""

from dataclasses import dataclass, field

from gateway.accounts.account import BY_USAGE, Account
from gateway.accounts.health import QUOTA, TOKEN_ENDED, Mark
from gateway.accounts.shared.witnesses import (
    Client,
    Scope,
    Sighting,
    Witness,
    Witnesses,
)
from gateway.accounts.suspicion import Suspicions
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import (
    KINDS,
    Blame,
    FailureKind,
    Tries,
    convicts,
    kind_of,
)

# What two clients met holds for all for so long, at most.
COMMON_SECONDS = 60.0
# Two clients that meet trouble of upstream within this time speak for all.
TROUBLE_SECONDS = 10.0
# Trouble is over without a success, too, when nobody met it for so long.
TROUBLE_LASTS = 60.0
MAX_TROUBLES = 64  # models of a base URL: clients name them
# While it lasts, one request in so long may try a second account.
SECOND_TRY_SECONDS = 1.0
# A refused connection counts once in this time, however many requests met it.
CONNECT_COUNTS_SECONDS = 1.0
LONGEST_CONNECT_PAUSE = 10.0
FIRST_EDGE_PAUSE = 10.0
LONGEST_EDGE_PAUSE = 120.0
SOCKETS_OFF_SECONDS = 600.0
# A way that nobody has tried for so long is not known to be blocked.
HEARSAY_SECONDS = 600.0
_UPSTREAM = "upstream's code"


@dataclass(slots=True)
class BaseUrl:
    """What holds of one base URL, whichever account is used there."""

    sockets_off_until: float = 0.0
    edge_until: float = 0.0  # a page stands before it: one attempt after each pause
    edge_pause: float = 0.0
    trouble: dict[str | None, float] = field(default_factory=dict)  # last met, by model
    second_try_at: float = 0.0

    def note_trouble(self, model: str | None, now: float) -> None:
        self.trouble.pop(model, None)
        self.trouble[model] = now
        if len(self.trouble) > MAX_TROUBLES:
            del self.trouble[next(iter(self.trouble))]


@dataclass(frozen=True, slots=True)
class Met:
    """A failure that a client's request met at an account."""

    account: Account
    failure: Failure
    witness: Witness
    model: str | None
    is_first: bool = True  # of this lease


class Verdicts:
    """Applies failures, successes and rulings to accounts and base URLs."""

    def __init__(self) -> None:
        self.suspicions = Suspicions()
        self.witnesses = Witnesses()
        self._bases: dict[str, BaseUrl] = {}

    def base(self, account: Account) -> BaseUrl:
        return self._bases.setdefault(account.base_url or "", BaseUrl())

    def believe(self, account: Account, told: Sighting, now: float) -> bool:
        """Two clients met it, wherever they are: whether it is this account's."""
        if told.scope.subject == account.id:
            account.health.set_mark(told.mark(now, told.until))
        elif told.scope.subject == (account.base_url or ""):
            self.base(account).note_trouble(told.scope.model, now)
        else:
            return False
        return True

    def retain(self, accounts: set[str]) -> None:
        """Forget base URLs that no account has any more."""
        for url in self._bases.keys() - accounts:
            del self._bases[url]

    # What clients' requests meet

    def meet(self, met: Met, now: float) -> None:
        """Take in what a client's request met: a suspicion, or a verdict."""
        account, failure, kind = met.account, met.failure, kind_of(met.failure)
        blames = KINDS[kind].blames
        if blames in (Blame.REQUEST, Blame.NOTHING):
            return
        account.health.note(f"{kind}: {failure.logged.message}", now)
        if blames is Blame.LOGIN:
            account.health.is_token_doubted = True
        if convicts(failure):
            self._convict(met, blames, now)
        else:
            self._suspect(met, kind, blames, now)

    def succeed(self, account: Account, client: Client, model: str | None) -> None:
        """A client's request went well: what spoke against its way is over."""
        self.suspicions.acquit(client, account.id, model)
        account.grant_model(model)
        base_url = account.base_url or ""
        self.witnesses.clear(
            Scope(Blame.ACCOUNT, account.id),
            Scope(Blame.UPSTREAM, base_url),
            Scope(Blame.CAPACITY, base_url, model),
        )
        base = self._bases.get(base_url)
        if base is not None:
            base.trouble.pop(model, None)
            base.trouble.pop(None, None)
            base.edge_until = base.edge_pause = 0.0

    def note_attempt(self, account: Account, now: float) -> None:
        """A request is about to go there; of a refused way one after each pause."""
        base = self._bases.get(account.base_url or "")
        if base is not None and base.edge_pause:
            base.edge_until = now + base.edge_pause

    def is_troubled(self, account: Account, model: str | None, now: float) -> bool:
        """Whether upstream as a whole, or this model there, is known to fail."""
        trouble = self.base(account).trouble
        met = (trouble.get(model, 0.0), trouble.get(None, 0.0))
        # One in the future is of a clock that was ahead.
        return any(now - TROUBLE_LASTS < at <= now for at in met)

    def is_way_blocked(self, account: Account, now: float) -> bool:
        """Whether the edge refuses, or the last that was met is no connection."""
        mark = account.health.mark
        if mark is not None and mark.kind == FailureKind.CONNECT:
            return now - mark.since < HEARSAY_SECONDS
        return self.base(account).edge_pause > 0

    def may_try_second(self, account: Account, now: float) -> bool:
        """Whether a request may try a second account in spite of the trouble."""
        base = self.base(account)
        if 0 <= now - base.second_try_at < SECOND_TRY_SECONDS:
            return False
        base.second_try_at = now
        return True

    def _suspect(self, met: Met, kind: FailureKind, blames: Blame, now: float) -> None:
        account, failure = met.account, met.failure
        witness, model = met.witness, met.model
        if kind is FailureKind.CONNECT:
            self._count_connect(account, failure, now)
        asked = failure.retry_after
        if asked is None and failure.resets_at is not None:
            asked = failure.resets_at - now
        is_passing = KINDS[kind].tries is Tries.ONCE
        is_suspicion = (met.is_first or is_passing) and self.suspicions.suspect(
            witness.client, account.id, model, now, asked, is_passing=is_passing
        )
        if blames is Blame.EDGE:
            return  # only a judge can tell the way from what was asked
        is_alone = self.suspicions.is_alone(witness.client, now)
        if met.is_first and blames in (Blame.UPSTREAM, Blame.CAPACITY):
            of_model = model if blames is Blame.CAPACITY else None
            scope = Scope(blames, account.base_url or "", of_model)
            trouble = Sighting(scope, witness, "", now + TROUBLE_SECONDS)
            if self.witnesses.agree(trouble, now, is_alone=is_alone):
                self.base(account).note_trouble(of_model, now)
        # Of one model only the model: another one may be well there.
        of_all_models = blames not in (Blame.MODEL, Blame.CAPACITY, Blame.SOCKETS)
        if is_suspicion and of_all_models:
            scope, evidence = Scope(Blame.ACCOUNT, account.id), failure.logged.message
            doubt = Sighting(scope, witness, kind, now + COMMON_SECONDS, evidence[:200])
            if self.witnesses.agree(doubt, now, is_alone=is_alone):
                until = now + min(COMMON_SECONDS, asked or COMMON_SECONDS)
                account.health.set_mark(doubt.mark(now, until))

    def _count_connect(self, account: Account, failure: Failure, now: float) -> None:
        """No client's bytes were sent: it needs no judge, but counts once a second."""
        health = account.health
        if health.mark is not None and now - health.mark.since < CONNECT_COUNTS_SECONDS:
            return
        pause = min(LONGEST_CONNECT_PAUSE, 2.0 ** min(health.failures, 8))
        evidence = failure.logged.message[:200]
        health.set_mark(
            Mark(FailureKind.CONNECT, "the network", evidence, now, now + pause, True)
        )

    def _convict(self, met: Met, blames: Blame, now: float) -> None:
        """Upstream's own code: for all, until a judge has been asked."""
        account, failure, health = met.account, met.failure, met.account.health
        match blames:
            case Blame.MODEL if met.model is not None:
                if failure.resets_at is not None:
                    account.limit_model(met.model, failure.resets_at)
                else:
                    account.refuse_model(met.model, now)
            case Blame.WINDOW | Blame.BALANCE:
                window, until = _limit_of(account, failure, now)
                health.suppose_limit(now, window, until, _UPSTREAM)
                account.plan = failure.plan_type or account.plan
            case Blame.LOGIN:
                until = now + health.next_pause()
                mark = Mark(
                    kind_of(failure),
                    _UPSTREAM,
                    failure.logged.code or failure.logged.message,
                    now,
                    until,
                    is_login=True,
                )
                health.set_mark(mark)

    # What judges say

    def rule(self, account: Account, failure: Failure, by: str, now: float) -> None:
        """A call of the gateway's own met this: it holds for all."""
        kind, health = kind_of(failure), account.health
        health.note(f"{kind}: {failure.logged.message}", now)
        match KINDS[kind].blames:
            case Blame.LOGIN if kind is FailureKind.LOGIN_REQUIRED:
                why = failure.logged.code or failure.logged.message
                health.require_login(why, by, now)
            case Blame.LOGIN if account.credentials.is_access_token and by == BY_USAGE:
                health.require_login(TOKEN_ENDED, by, now)
            case Blame.WINDOW | Blame.BALANCE:
                health.set_limit(now, *_limit_of(account, failure, now), by)
            case Blame.SOCKETS:
                self.base(account).sockets_off_until = now + SOCKETS_OFF_SECONDS
            case Blame.EDGE:
                base = self.base(account)
                base.edge_pause = min(
                    LONGEST_EDGE_PAUSE, 2 * base.edge_pause or FIRST_EDGE_PAUSE
                )
                base.edge_until = now + base.edge_pause
            case Blame.UPSTREAM | Blame.CAPACITY:  # of `accounts probe`
                until = now + COMMON_SECONDS
                text = failure.logged.message[:200]
                health.set_mark(Mark(kind, by, text, now, until, is_suspicion=True))
            case Blame.LOGIN | Blame.ACCOUNT:
                is_login = KINDS[kind].blames is Blame.LOGIN
                until = now + health.next_pause()
                text = failure.logged.message[:200]
                # Of a token that turns go well with it is no more than a suspicion.
                is_suspicion = is_login and not health.is_token_doubted
                health.set_mark(
                    Mark(kind, by, text, now, until, is_suspicion, is_login)
                )

    def acquit(self, account: Account) -> None:
        """A judge finds the account's token and way well.

        What it does not look at stays: limits, 5xx, timeouts.
        """
        base = self.base(account)
        base.edge_until = base.edge_pause = 0.0
        health, mark = account.health, account.health.mark
        is_old = health.login_reason is not None and not health.login_by
        if is_old or health.login_reason == TOKEN_ENDED:
            health.logged_in()  # an earlier release, or the judge, took it for ended
        # Upstream's own code stands against the judge's word for its time.
        if mark is not None and mark.is_login and mark.by != _UPSTREAM:
            health.end_mark()


def _limit_of(account: Account, failure: Failure, now: float) -> tuple[str, float]:
    """The window that a failure names, and when it is reset."""
    rules = KINDS[kind_of(failure)]
    until = failure.resets_at or now + rules.limit_seconds
    is_window = rules.blames is Blame.WINDOW
    return _used_up(account, until, now) if is_window else QUOTA, max(until, now + 1)


def _used_up(account: Account, until: float, now: float) -> str:
    """The window that the refusal speaks of: the one that is reset at its time."""
    fitting = [
        seen
        for seen in account.windows.values()
        if seen.window.resets_at is not None
        and abs(seen.window.resets_at - until) < 120
    ]
    if fitting:
        return max(fitting, key=lambda seen: seen.used_percent(now)).window.name
    return "usage"
