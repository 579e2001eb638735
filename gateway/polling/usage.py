"""Polled usage: `GET /wham/usage`, while somebody needs to know."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from gateway.accounts.account import BY_USAGE, Account
from gateway.accounts.health import AccountStatus
from gateway.accounts.pool import Pool
from gateway.events import Topic
from gateway.polling import TICK_SECONDS, is_over, wait_for_all
from gateway.polling.rulings import Ruling, give_ruling
from gateway.protocol.facts import WINDOW_NAMES, Window, WindowName
from gateway.protocol.lenient_json import child, text
from gateway.protocol.limit_windows import (
    MOST_NAMED_WINDOWS,
    PolledUsage,
    of_limit,
    window_of,
)
from gateway.protocol.numbers import number
from gateway.repository.claims import Claims
from gateway.secret import Secret
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.api import API_TIMEOUT, ApiResponse

POLL_SECONDS = 60.0
_LOOK_AGAIN = 10.0  # whether it is due, after another process's
# What upstream forbids is not asked for every minute.
FORBIDDEN_SECONDS = 300.0
# An access token that has ended may be taken again, after trouble of upstream's.
ENDED_SECONDS = 300.0


class UsagePoller:
    """Asks for each account's windows once a minute, while it is used or limited."""

    def __init__(
        self,
        pool: Pool,
        calls: AccountCalls,
        upstream_base_url: str,
        clock: Callable[[], float] = time.time,
        claims: Claims | None = None,
    ) -> None:
        """`claims`: of the processes that poll together; None: this one alone."""
        self._claims = claims
        self._pool = pool
        self._calls = calls
        self._url = upstream_base_url.rstrip("/") + "/wham/usage"
        self._clock = clock
        # With the token that the account had before, if it was renewed upon that.
        self.token_refused = Topic[tuple[Account, Secret | None]]()
        self._due: dict[int, float] = {}
        self._chosen: dict[int, int] = {}  # account.last_choice at the last poll

    async def run(self) -> None:
        """Poll what is due, for ever; its owner cancels it."""
        while True:
            await self.poll_due()
            await asyncio.sleep(TICK_SECONDS)

    async def poll_due(self) -> None:
        now = self._clock()
        accounts = self._pool.accounts
        for known in (self._due, self._chosen):
            for account_id in known.keys() - accounts.keys():
                del known[account_id]
        due = [one for one in accounts.values() if self.is_due(one, now)]
        await wait_for_all(map(self._poll_for_all, due))

    async def _poll_for_all(self, account: Account) -> None:
        """Poll, unless another process does or did: what it found is stored."""
        if self._claims is not None and self._pool.verdicts.witnesses.is_shared:
            with suppress(StoreUnavailable):  # then each polls for itself
                if not await self._claims.take(f"usage:{account.id}", 2 * API_TIMEOUT):
                    self._chosen[account.id] = account.last_choice
                    self._due[account.id] = self._clock() + _LOOK_AGAIN
                    return
        await self.poll(account)

    def is_due(self, account: Account, now: float) -> bool:
        """New accounts at once, others when used since, or when a limit may end."""
        status = account.health.status(now)
        is_asked = account.health.is_in_service or status is AccountStatus.TOKEN_ENDED
        if not account.is_chatgpt or not is_asked:
            return False
        if not is_over(self._due.get(account.id, 0.0), now):
            return False
        is_used = account.in_flight > 0 or (
            account.last_choice != self._chosen.get(account.id)
        )
        return is_used or status in (AccountStatus.LIMITED, AccountStatus.TOKEN_ENDED)

    async def poll(self, account: Account) -> Ruling:
        """Ask once; a failure costs the number its freshness and no more."""
        asked_at = self._clock()
        self._chosen[account.id] = account.last_choice
        pause, ruling, before = POLL_SECONDS, Ruling.NONE, account.credentials
        try:
            answer = await self._calls.get(account, self._url)
        except (UpstreamFault, StoreUnavailable):
            answer = None
        if answer is not None:
            told = answer.json()
            is_usage = "rate_limit" in told or "plan_type" in told
            is_well = answer.status == 200 and is_usage
            if is_well:
                usage = read_polled_usage(answer, asked_at)
                self._pool.observer.usage(account, usage, asked_at)
            elif answer.status in (402, 403, 404):
                pause = FORBIDDEN_SECONDS
            ruling = give_ruling(self._pool, account, answer, BY_USAGE, is_well=is_well)
            if account.health.status(asked_at) is AccountStatus.TOKEN_ENDED:
                pause = ENDED_SECONDS
            if ruling is Ruling.LOGIN:
                if account.credentials.access_token != before.access_token:
                    account.health.is_renewed_in_vain = True
                self.token_refused.publish((account, before.access_token))
        # Jitter, so that many accounts do not ask in one moment.
        self._due[account.id] = self._clock() + pause * random.uniform(0.9, 1.1)
        return ruling


def read_polled_usage(answer: ApiResponse, now: float) -> PolledUsage:
    """What does not fit is absent; nothing raises."""
    told = answer.json()
    limit, credits = child(told, "rate_limit"), child(told, "credits")
    windows = [*_windows(limit, now), *_named_windows(told, now)]
    allowed, reached = limit.get("allowed"), limit.get("limit_reached")
    return PolledUsage(
        windows=tuple(windows),
        plan=text(told.get("plan_type")),
        is_limited=reached is True or allowed is False if limit else None,
        has_credits=True in (credits.get("has_credits"), credits.get("unlimited")),
    )


def _windows(limit: dict[str, Any], now: float) -> list[Window]:
    found = [_window(one, limit.get(f"{one}_window"), now) for one in WINDOW_NAMES]
    return [window for window in found if window is not None]


def _named_windows(told: dict[str, Any], now: float) -> Iterator[Window]:
    """Those of limits of some models only."""
    limits = told.get("additional_rate_limits")
    for one in limits[:MOST_NAMED_WINDOWS] if isinstance(limits, list) else []:
        if not isinstance(one, dict):
            continue
        name = text(one.get("limit_name"))
        id = text(one.get("metered_feature")) or name or "other"
        for window in _windows(child(one, "rate_limit"), now):
            named = of_limit(window, id, name)
            if named is not None:
                yield named


def _window(name: WindowName, told: object, now: float) -> Window | None:
    if not isinstance(told, dict):
        return None
    seconds = number(told.get("limit_window_seconds"))
    return window_of(
        name,
        told.get("used_percent"),
        None if seconds is None else seconds / 60,
        told.get("reset_at"),
        now,
    )
