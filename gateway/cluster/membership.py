"""Membership: this process among those that serve from the same database.

A process alone asks nobody. One that joins raises the revision; each of the others
takes that over, and in the transaction of its acknowledgement writes what it has in
hand: from then on each spends only what it was granted. Who is silent for too long is
dead to the others, by their own clocks, and has stopped spending by its own before.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from gateway.cluster.boot_clock import boot_time
from gateway.cluster.silence import BEAT_SECONDS, SPEND_SECONDS, MemberSilence
from gateway.events import Topic
from gateway.process.database_lock import identify
from gateway.process.release import version
from gateway.repository import members
from gateway.repository.claims import Claims
from gateway.repository.members import Beat, Identity, MemberState
from gateway.repository.revision import current_revision
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable, sqlite_path
from gateway.store.shared.tables import LONGEST_TEXT, MemberRow
from gateway.store.store import Store

logger = logging.getLogger("gateway.members")

LEAVE_SECONDS = 2.0
CONFIRM_SECONDS = 3.0  # above the time between two beats
_LOOK_AGAIN_SECONDS = 0.05  # while a change is waited for

# Called in the loop when this process acknowledges; what it returns is run in the
# transaction that does, on another thread.
Contribution = Callable[[], Callable[[], None]]


class Membership:
    """`living` are the members' numbers, this one's among them."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self.id = 0  # until it joins
        self.mark = ""  # of this start, in the database that is served from
        self.living = frozenset({0})
        self.rows: dict[int, MemberRow] = {}  # as last seen, by number
        self.changed: Topic[frozenset[int]] = Topic()  # `living`
        self.behind: tuple[int, ...] = ()  # who did not take the latest change over
        self.taken_over: Topic[int] = Topic()  # from this one, which goes on
        self.claims = Claims(store)
        self.contributions: list[Contribution] = []
        self.url = settings.member_url or None  # where the others reach this one
        self._state = MemberState.JOINING
        self._told: tuple[object, ...] = ()  # of state and URL, in the row
        self._store = store
        self._settings = settings
        self._clock = clock
        # One machine, whose lock on the database's file ends with the process: alone,
        # nobody waits for its beats.
        self._is_on_file = sqlite_path(store.url) is not None
        # Who has acknowledged it knows of this member. No later one: of those who join
        # at once, each would wait for what another acknowledges after its own wait.
        self.joined_revision = 0
        self._beats = 0
        self._acknowledged = 0
        self._spends_until = float("-inf")
        self._silence = MemberSilence()
        self._has_failed = False  # a beat, and none was through since
        self._beat_began = float("inf")  # while it is not through
        self._next_beat = asyncio.Event()  # is through

    @property
    def is_alone(self) -> bool:
        return len(self.living) == 1

    @property
    def problem(self) -> str:
        """Why a change does not hold everywhere, for anybody to read; "" if it does."""
        late = ", ".join(map(str, self.behind))
        return f"the latest change does not hold at all members: {late}" if late else ""

    def may_spend(self) -> bool:
        """Whether others still count on what this process does with its grants."""
        if self._is_on_file and self.is_alone:
            return True
        return self._clock() < self._spends_until

    def is_cut_off(self) -> bool:
        """Whether it may not, and no beat gets through, which is more than stopped."""
        if self.may_spend():
            return False
        return self._has_failed or self._clock() > self._beat_began + CONFIRM_SECONDS

    async def confirm(self) -> bool:
        """Whether it may, at once or when a beat is through; see `may_spend`.

        A process that was stopped beats as soon as it goes on.
        """
        if not self.may_spend() and not self.is_cut_off():
            with suppress(TimeoutError):
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await self._next_beat.wait()
        return self.may_spend()

    async def join(self, *, takes_over: bool) -> None:
        """Become a member. Raises StoreUnavailable.

        `takes_over`: this process has newly taken its data directory's lock, so the
        directory's earlier members are dead.
        """
        ends_all = takes_over and self._is_on_file
        self.id = await self._store.transact(
            lambda: members.join(
                self._identity(), ends_directory=takes_over, ends_all=ends_all
            )
        )
        self.joined_revision = await self._store.read(current_revision)
        self.claims.member_id = self.id
        self.living = frozenset({self.id})
        await self.look()
        self.mark = members.mark_of(self.rows[self.id])

    async def look(self) -> None:
        """See who the members are. Raises StoreUnavailable."""
        self._see(await self._store.read(members.living))

    async def acknowledge(self, revision: int) -> None:
        """Tell that this process follows the revision. Raises StoreUnavailable."""
        await self.look()
        self._acknowledged = revision
        also = [contribution() for contribution in self.contributions]
        await self._write_beat(lambda told: members.acknowledge(self.id, told, also))

    async def wait_for_others(self, revision: int) -> None:
        """Wait until all members follow it, or for long enough; see `behind`.

        Raises StoreUnavailable.
        """
        give_up_at = self._clock() + members.FOLLOW_SECONDS
        late: list[MemberRow] = []
        while not self.is_alone:
            late = await self._store.read(members.behind, revision)
            if not late or self._clock() > give_up_at:
                break
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self.behind = tuple(row.id for row in late)

    async def run(self) -> None:
        """Beat, and see who does not; its owner cancels it."""
        if self._state is MemberState.JOINING:
            self._state = MemberState.SERVING
        while True:
            try:
                await self.beat()
            except StoreUnavailable:
                self._has_failed = True
                self._end_wait()
            await asyncio.sleep(BEAT_SECONDS)

    async def beat(self) -> None:
        """Show that this member lives, and see the others. Raises StoreUnavailable."""
        if self._is_on_file and self.is_alone and self._told == (self._state, self.url):
            return
        await self._write_beat(lambda told: members.beat(self.id, told))

    async def note_dead(self, id: int) -> None:
        """Take over from a member that is known to be dead. Raises StoreUnavailable."""
        if await self._store.transact(members.end, id):
            logger.warning("member %d has ended without a word", id)
        await self.look()

    def drain(self) -> None:
        """Have the next beat tell that this process ends soon."""
        self._state = MemberState.LEAVING

    async def leave(self) -> None:
        """End this member, for the others to go on at once; never fails."""
        if not self.id:
            return
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._store.transact(members.end, self.id)

    async def _write_beat(
        self, write: Callable[[Beat], list[MemberRow] | None]
    ) -> None:
        self._beat_began = sent_at = self._clock()
        self._beats += 1
        told = Beat(self._beats, self._state, self._acknowledged, self.url)
        rows = await self._store.transact(write, told)
        if rows is None:
            logger.warning("the others have taken over from this process; it is back")
            self.taken_over.publish(self.id)
            await self._store.transact(
                lambda: members.come_back(self.id, self._identity(), told)
            )
            rows = await self._store.read(members.living)
        self._told = told.state, told.url
        self._spends_until = sent_at + SPEND_SECONDS
        self._has_failed, self._beat_began = False, float("inf")
        self._end_wait()
        self._see(rows)
        beats = {row.id: row.heartbeat for row in rows if row.id != self.id}
        for id in self._silence.look(beats, self._clock()):
            if await self._store.transact(members.end, id, beats[id]):
                logger.warning("member %d is silent, and taken over from", id)
                await self.look()

    def _end_wait(self) -> None:
        """Of those who asked whether this process may spend."""
        self._next_beat.set()
        self._next_beat = asyncio.Event()

    def _identity(self) -> Identity:
        """It reads files."""
        found = identify(self._settings.data_dir)
        return Identity(found.id, found.place[-LONGEST_TEXT:], version())

    def _see(self, rows: list[MemberRow]) -> None:
        self.rows = {row.id: row for row in rows}
        living = frozenset(self.rows) | {self.id}
        if living == self.living:
            return
        if self._is_on_file and self.is_alone:
            # Who has just come has not waited for a beat yet.
            self._spends_until = self._clock() + SPEND_SECONDS
        self.living = living
        self.changed.publish(living)
