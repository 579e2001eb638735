"""SharedAccounts: what one process finds out of accounts is known to the others.

Two clients that met the same failure speak for all, wherever they are: what they met
is a row, which ends by the database's time, and with the first success of anybody.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

from gateway.accounts.account import Account
from gateway.accounts.health import TRIAL_SECONDS
from gateway.accounts.pool import Pool
from gateway.accounts.shared.witnesses import Scope, Sighting, Witness
from gateway.protocol.failure_kind import Blame
from gateway.repository.accounts import account_of
from gateway.repository.claims import Claims
from gateway.repository.persisting import Persisting
from gateway.store.database import StoreUnavailable
from gateway.store.encryption import SecretBox
from gateway.store.models import AccountRow
from gateway.store.shared.tables import SightingRow
from gateway.store.store import Store

EXCHANGE_SECONDS = 2.0
# Windows, limits and logins are looked at every four seconds.
_EXCHANGES_PER_LOOK = 2
# A trial is claimed before a request can begin it.
_AHEAD_SECONDS = 2 * EXCHANGE_SECONDS
_TRIAL_CLAIM_SECONDS = 2 * TRIAL_SECONDS


class SharedAccounts:
    """Tells and hears, as long as there are other members."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        claims: Claims,
        clock: Callable[[], float],
        persisting: Persisting,
    ) -> None:
        """`clock` tells the database's time; `claims` who this process is."""
        self._persisting = persisting
        self._store = store
        self._pool = pool
        self._claims = claims
        self._clock = clock
        self._seen: dict[int, int] = {}  # what each account's row had, as a hash
        self._trials: dict[int, float] = {}  # claimed here, and until when

    async def run(self) -> None:
        """Exchange what is new, for ever; its owner cancels it."""
        for number in count():
            await asyncio.sleep(EXCHANGE_SECONDS)
            if self._pool.verdicts.witnesses.is_shared:
                with suppress(StoreUnavailable):  # what was new then is not told
                    await self.exchange()
                    await self.claim_trials()
                    if number % _EXCHANGES_PER_LOOK == 0:
                        await self.look()

    async def look(self) -> None:
        """Take over what others have stored of accounts. Raises StoreUnavailable."""
        self._persisting.hand_over()  # what is not stored yet must not be taken back
        await self._store.flush()
        found = await self._store.read(_changed, self._seen, self._store.secrets)
        for account in found:
            if (held := self._pool.accounts.get(account.id)) is not None:
                held.update(account)
        if found:
            self._pool.serve_queue()

    async def claim_trials(self) -> None:
        """Let one process try an account that may be well again.

        At the others its requests wait, as they do while a trial is running. Raises
        StoreUnavailable.
        """
        now, take = self._pool.now(), self._claims.take
        for account in tuple(self._pool.accounts.values()):
            health, name = account.health, f"trial:{account.id}"
            if not health.on_trial and self._trials.pop(account.id, 0.0):
                await self._claims.release(name)
            begins = max(now, health.until(now) or now, health.trial_begins(now))
            is_claimed = self._trials.get(account.id, 0.0) > begins
            is_near = health.on_trial and begins - now <= _AHEAD_SECONDS
            if not is_near or is_claimed or not health.is_in_service:
                continue
            if await take(name, _TRIAL_CLAIM_SECONDS):
                self._trials[account.id] = now + _TRIAL_CLAIM_SECONDS
            else:
                health.begin_trial(begins)

    async def exchange(self) -> None:
        """Tell of failures, and hear of others'. Raises StoreUnavailable."""
        witnesses = self._pool.verdicts.witnesses
        news, cleared = list(witnesses.news.values()), list(witnesses.cleared)
        witnesses.news.clear()
        witnesses.cleared.clear()
        now = self._clock()
        ahead = now - self._pool.now()
        # Nothing new is the rule: then it only reads.
        ask = self._store.transact if news or cleared else self._store.read
        told = await ask(_exchange, self._claims.member_id, news, cleared, now, ahead)
        self._pool.observer.hear(told, self._pool.accounts.values())


def _changed(seen: dict[int, int], secrets: SecretBox) -> list[Account]:
    """The accounts whose rows are not as they were; opening credentials takes time."""
    table, now = AccountRow, time.time()
    kept = table.select(table.id, table.updated_at, table.state_detail)
    told = {row.id: hash((row.updated_at, row.state_detail)) for row in kept}
    changed = [id for id in told if told[id] != seen.get(id)]
    rows = table.select().where(table.id.in_(changed)) if changed else []
    found = [account_of(row, secrets, now) for row in rows]
    seen.clear()
    seen.update(told)
    return found


def _exchange(
    member_id: int,
    news: Sequence[Sighting],
    cleared: Sequence[Scope],
    now: float,
    ahead: float,
) -> list[Sighting]:
    """What others have met; `ahead`: how far the database's clock is."""
    table, ms = SightingRow, int(now * 1000)
    if news or cleared:
        ended = table.scope.in_([json.dumps(scope) for scope in cleared])
        table.delete().where(ended | (table.until <= ms)).execute()
    for one in news:
        row = {
            "member_id": member_id,
            "until": int((one.until + ahead) * 1000),
            "evidence": one.evidence,
        }
        what = {
            "scope": json.dumps(one.scope),
            "client": str(one.witness.client),
            "kind": one.kind,
        }
        keys = [table.scope, table.client, table.kind]
        insert = table.insert(**what, **row)
        insert.on_conflict(conflict_target=keys, update=row).execute()
    others = table.select().where((table.member_id != member_id) & (table.until > ms))
    return [_sighting(row, ahead) for row in others]


def _sighting(row: SightingRow, ahead: float) -> Sighting:
    blame, subject, model = json.loads(row.scope)
    client = int(row.client) if row.client.isdecimal() else row.client
    return Sighting(
        Scope(Blame(blame), subject, model),
        Witness(client),
        row.kind,
        row.until / 1000 - ahead,
        row.evidence,
    )
