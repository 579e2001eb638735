"""Grants: this member's part of limits, rates and places, agreed in the database.

Alone, what is used and held is written down now and then, and nobody is asked. With
others, the same rows say what each may still admit: what is lacking here is asked for,
what others lack is given back.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from gateway.accounts.pool import Pool
from gateway.cluster.account_places import AccountPlaces
from gateway.cluster.grant_exchange import CALL, Answer, exchange_grants, write_holdings
from gateway.cluster.membership import Membership
from gateway.cluster.silence import BEAT_SECONDS
from gateway.events import Topic
from gateway.keys.key import KeyRing
from gateway.keys.limiter import Limiter
from gateway.keys.shared.share import Holding, Resource
from gateway.repository.startup import stored_counters
from gateway.store.database import StoreUnavailable, sqlite_path
from gateway.store.shared import grants as rows
from gateway.store.store import Store

# What a killed process may lose of what it counted, and between two tries.
WRITE_SECONDS = 0.5
# Between two looks while somebody waits, here or elsewhere. The processes of a file
# hear nothing of each other; to look there takes a third of a millisecond.
_LOOK = 0.1
_FILE_LOOK = 0.02
# Until every other member shares: one that is silent is dead by then.
JOIN_SECONDS = 40.0
_JOIN_LOOK_SECONDS = 0.05


class Grants:
    """Runs beside a limiter; `flush` and `leave` write what is in hand at once."""

    def __init__(
        self,
        store: Store,
        membership: Membership,
        limiter: Limiter,
        pool: Pool,
        ring: KeyRing,
        heard: Topic[str],
    ) -> None:
        """`heard`: what members call out."""
        self._store = store
        self._members = membership
        self._shared, self._places = limiter.shared, AccountPlaces(pool)
        self._parts = self._shared, self._places
        self._ring = ring
        self._is_on_file = sqlite_path(store.url) is not None
        self._asking: frozenset[Resource] = frozenset()
        self._wanted = asyncio.Event()
        self._exchanging = asyncio.Lock()
        self._shared.may_spend = membership.may_spend
        self._shared.is_cut_off = membership.is_cut_off
        membership.contributions.append(self._contribute)
        membership.changed.subscribe(self._note_members)
        membership.taken_over.subscribe(lambda _: self._shared.begin_anew())
        membership.taken_over.subscribe(lambda _: self._places.begin_anew())
        for part in self._parts:
            part.lacking.subscribe(lambda _: self._wanted.set())
        heard.subscribe(self._hear)

    async def start(self) -> None:
        """Take over what was used until now, once all others share with this member.

        Raises StoreUnavailable.
        """
        revision = self._members.joined_revision
        began = beat_at = time.monotonic()
        while not self._is_known_to_all(revision):
            now = time.monotonic()
            if now - began > JOIN_SECONDS:
                break
            # It beats meanwhile: who is silent is taken over from, also before.
            if now - beat_at >= BEAT_SECONDS:
                beat_at = now
                await self._members.beat()
            await asyncio.sleep(_JOIN_LOOK_SECONDS)
            await self._members.look()
        await self._load()
        await self.flush()

    async def run(self) -> None:
        """Write and ask, as need be; its owner cancels it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                if self._members.is_alone and self._shared.are_shared:
                    await self._let_go()
                    await self._load()
                await self.flush()
            except StoreUnavailable:
                await asyncio.sleep(WRITE_SECONDS)

    async def flush(self) -> None:
        """Write what is in hand, and go by what is granted. Raises StoreUnavailable."""
        async with self._exchanging:
            holdings = [one for part in self._parts for one in part.holdings()]
            if not holdings and not self._shared.are_shared:
                return
            try:
                answer = await self._store.transact(self._transaction(holdings))
            except StoreUnavailable:
                for part in self._parts:
                    part.note_unwritten()
                raise
            if answer is None:
                return
            self._asking = answer.asking
            if any([part.take(answer.shares, answer.asked) for part in self._parts]):
                self._wanted.set()  # something is to be given back

    def _hear(self, text: str) -> None:
        """Look at once when another has called out."""
        if text == CALL and self._shared.are_shared:
            self._wanted.set()

    async def note_gone(self, member_id: int) -> None:
        """A process that was linked to this one has ended. Raises StoreUnavailable.

        0: it was no member; what it used is in the database now.
        """
        if member_id:
            await self._members.note_dead(member_id)
        else:
            await self._load()

    async def leave(self) -> None:
        """Write all of it, and leave it to those who go on; never fails."""
        if not self._me:
            return
        with suppress(StoreUnavailable):
            await self.flush()
            await self._store.transact(rows.fold, self._members.id)

    @property
    def _pause(self) -> float:
        if not self._shared.are_shared:
            return WRITE_SECONDS
        if any(part.is_waiting for part in self._parts):
            return _FILE_LOOK if self._is_on_file else _LOOK
        return _LOOK if self._is_on_file else WRITE_SECONDS

    def _is_known_to_all(self, revision: int) -> bool:
        others = (row for row in self._members.rows.values() if row.id != self._me)
        return all(row.acknowledged >= revision for row in others)

    @property
    def _me(self) -> int:
        return self._members.id

    def _note_members(self, living: frozenset[int]) -> None:
        if len(living) > 1:
            self._begin()
        self._wanted.set()

    def _contribute(self) -> Callable[[], None]:
        """What others count on once they see that this member knows of them."""
        if self._members.is_alone:
            return lambda: None
        self._begin()
        held = [one for part in self._parts for one in part.unwritten()]
        return partial(write_holdings, self._me, held)

    def _begin(self) -> None:
        self._shared.begin(self._ring)
        self._places.begin()

    async def _let_go(self) -> None:
        """What the others had granted ends with them; who comes is not to find it."""
        async with self._exchanging:
            for part in self._parts:
                part.begin_anew()
                part.note_unwritten()
            await self._store.transact(rows.let_go, self._me)

    async def _load(self) -> None:
        """Know what all others have used; alone, all that is left is this member's."""
        used = await self._store.read(stored_counters, time.time(), self._me)
        levels = await self._store.read(rows.stored_levels, self._me)
        self._shared.restore(self._ring, used, levels, is_alone=self._members.is_alone)
        if self._members.is_alone:
            self._places.end()
        else:
            self._places.begin()

    def _transaction(self, holdings: Sequence[Holding]) -> Callable[[], Answer | None]:
        if not self._shared.are_shared:
            return partial(write_holdings, self._me, holdings, is_alone=True)
        return partial(exchange_grants, self._me, holdings, self._asking)
