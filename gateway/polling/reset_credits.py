"""Banked resets, with which an account's used-up windows begin anew before their time.

Upstream is asked when somebody wants to know, and a reset is used by the owner alone.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gateway.accounts.account import Account
from gateway.accounts.pool import Pool
from gateway.polling import is_over, wait_for_all
from gateway.polling.usage import UsagePoller
from gateway.protocol.failures import read_failure
from gateway.protocol.lenient_json import dump, text
from gateway.protocol.numbers import count
from gateway.settings import PROGRAM
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.api import ApiResponse

# Clients ask at every start; what is banked changes about once a month.
ASK_SECONDS = 60.0
# A client waits so long for what it shows beside other numbers.
LONGEST_ANSWER = 3.0
MOST_LISTED = 100  # of one account
OWNERS_COMMAND = f"{PROGRAM} accounts resets NAME --use"


class Banked(NamedTuple):
    """What upstream says is banked: how many, and each as it describes it."""

    available_count: int = 0
    credits: tuple[dict[str, Any], ...] = ()


class ResetCredits:
    """Asks upstream what the subscriptions have banked; uses one when told to."""

    def __init__(
        self,
        pool: Pool,
        calls: AccountCalls,
        usage: UsagePoller,
        upstream_base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._calls = calls
        self._usage = usage
        self._url = upstream_base_url.rstrip("/") + "/wham/rate-limit-reset-credits"
        self._clock = clock
        self._known: dict[int, Banked] = {}
        self._due = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def banked(self) -> Banked:
        """Of all subscriptions in service, as upstream last said it."""
        self.refresh()
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=LONGEST_ANSWER)
        known = [self._known.get(one.id, Banked()) for one in self._in_service()]
        return Banked(
            sum(one.available_count for one in known),
            tuple(credit for one in known for credit in one.credits),
        )

    def refresh(self) -> None:
        """Have all subscriptions asked, unless they were lately; waits for nothing."""
        if self._asking is None and is_over(self._due, self._clock()):
            self._asking = asyncio.create_task(self._ask_all())

    def known(self, account: Account) -> Banked | None:
        """What upstream last said of one account; None: nothing yet."""
        return self._known.get(account.id)

    async def ask(self, account: Account) -> Banked:
        """What one account has. Raises UpstreamFault with what is in the way."""
        answer = await self._calls.get(account, self._url)
        if answer.status != 200:
            raise self._fault(answer)
        found = self._known[account.id] = read_banked(answer)
        return found

    async def use(self, account: Account) -> str:
        """Upstream's word for what came of it, `reset` if all is well.

        Raises UpstreamFault. Equal request ids are one request, so a repetition
        after a 401 uses no second one.
        """
        document = {"redeem_request_id": str(uuid.uuid4())}
        answer = await self._calls.post(account, f"{self._url}/consume", document)
        outcome = text(answer.json().get("code"))
        if answer.status != 200 or not outcome:
            raise self._fault(answer)
        self._due = 0.0
        if outcome == "reset":
            self._pool.observer.reset(account)
            await self._usage.poll(account)
        return outcome

    async def close(self) -> None:
        """End a question that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _in_service(self) -> Iterable[Account]:
        accounts = self._pool.accounts.values()
        return (o for o in accounts if o.is_chatgpt and o.health.is_in_service)

    async def _ask_all(self) -> None:
        try:
            await wait_for_all(self._try(account) for account in self._in_service())
            self._known = {
                id: known
                for id, known in self._known.items()
                if id in self._pool.accounts
            }
        finally:
            self._due, self._asking = self._clock() + ASK_SECONDS, None

    async def _try(self, account: Account) -> None:
        try:
            await self.ask(account)
        except (UpstreamFault, StoreUnavailable):
            return  # what it said before is still the best there is

    def _fault(self, answer: ApiResponse) -> UpstreamFault:
        return UpstreamFault(
            read_failure(answer.status, answer.headers, answer.body, self._clock())
        )


def read_banked(answer: ApiResponse) -> Banked:
    """What does not fit is absent; nothing raises."""
    told = answer.json()
    listed = told.get("credits")
    credits = [
        one
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and dump(one) is not None
    ]
    return Banked(count(told.get("available_count")), tuple(credits[:MOST_LISTED]))
