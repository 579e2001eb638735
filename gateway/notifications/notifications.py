"""Notifications: finds what alerts tell of, and has each told once by all channels."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from gateway.accounts.account import Account
from gateway.events import Topic
from gateway.keys.key import Key
from gateway.monitoring.observed import Observed
from gateway.monitoring.supervisor import TaskFunction
from gateway.notifications.alerts import (
    OF_ACCOUNTS,
    OF_KEYS,
    URGENT,
    Alert,
    Condition,
    Seen,
)
from gateway.notifications.channel_queue import ChannelQueue, Outcome
from gateway.notifications.channels import Channel
from gateway.notifications.marks import Marks
from gateway.notifications.notice import Notice
from gateway.store.database import StoreUnavailable
from gateway.store.log.log_rows import OTHER_MODELS, unpriced_model
from gateway.store.notices import (
    StoredNotice,
    end_marks,
    open_marks,
    put_notices,
    settle_notice,
    take_over_notices,
)

# Seconds between two looks at everything, and at least between two at accounts, which
# change with every turn.
ALERT_SECONDS = 2.0
SPACING_SECONDS = 0.25
KEYS_AT_ONCE = 200  # some tenths of a millisecond
# The process before this one may be at it: its last attempt has ended by then.
ADOPTION_SECONDS = 20.0
# Beside others, what so long nobody has tried again was left by one that is gone.
OVERDUE_SECONDS = 60.0
# A database that does not answer keeps nobody from being told that it does not.
STORE_SECONDS = 5.0
UNLISTED_MODEL = "a model that no catalogue lists"
MOST_NEWS = 1_000
# Changes that a failing database has not taken; each is a row of a kB.
MOST_UNSAVED = 1_000


class Notifications:
    """Off without queues. Its tasks belong to the supervisor that starts them."""

    def __init__(
        self,
        gateway: Observed,
        queues: list[ChannelQueue],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gateway = gateway
        self.settled = Topic[Outcome]()  # each attempt, for who counts them
        self._queues = queues
        self._clock = clock
        self._marks: Marks | None = None  # None: not read yet
        self._news: deque[Notice] = deque()
        self._unpriced: dict[str, None] = {}
        self._unsaved: deque[Callable[[], object]] = deque()
        self._adopt_at = clock() + ADOPTION_SECONDS
        self._is_heir = True  # of a process before this one
        self._ours: set[str] = set()  # message ids
        self._woken = asyncio.Event()

    @property
    def channels(self) -> list[Channel]:
        return [queue.channel for queue in self._queues]

    @property
    def problem(self) -> str | None:
        """Which channels do not take what they are told, and why."""
        told = (
            f"{one.channel.name}: {one.trouble} ({one.waiting} wait)"
            for one in self._queues
            if one.trouble
        )
        return "; ".join(told) or None

    def tasks(self) -> Iterator[tuple[str, TaskFunction]]:
        """What has to run while the gateway does, by name; listens from now on."""
        if not self._queues:
            return
        self._gateway.turns.exchange_ended.subscribe(self._note_exchange)
        self._gateway.pool.observer.account_changed.subscribe(self._note_account)
        yield "notifications", self._watch
        for queue in self._queues:
            queue.settled.subscribe(self._settle)
            yield f"notify_{queue.channel.name}", queue.run

    # Called by those who publish: these must not wait

    def _note_exchange(self, row: Mapping[str, Any]) -> None:
        key = self._gateway.ring.get(row["api_key_id"] or 0)
        model = unpriced_model(row)
        if model not in (None, OTHER_MODELS):
            self._note_unpriced(str(model), key)
        if key is not None and key.limits and self._marks is not None:
            self._look_at(OF_KEYS, [key])

    def _note_unpriced(self, model: str, key: Key | None) -> None:
        """Names that clients make up are told as one, where an upstream takes any."""
        is_ruled = key is not None and model in (*key.models, key.enforced_model)
        is_known = is_ruled or self._gateway.pool.lists_model(model)
        self._unpriced[model if is_known else UNLISTED_MODEL] = None

    def _note_account(self, account: Account) -> None:
        self._woken.set()

    def _settle(self, outcome: Outcome) -> None:
        self.settled.publish(outcome)
        name, channel = outcome.notice.message_id, outcome.channel
        self._store_soon(partial(settle_notice, name, channel, outcome.changes))

    # The task

    async def _watch(self) -> None:
        """Look, store and hand over, until this process drains."""
        if self._marks is None:
            told = await self._gateway.store.read(open_marks)
            self._marks = Marks(told, self._clock())
        keys_due = 0.0
        while not self._gateway.is_draining:
            self._woken.clear()  # what wakes it from here on is looked at once more
            for alert in OF_ACCOUNTS:
                began = self._clock()
                self._let_go(alert, self._look_at(alert), began)
            # Each turn looks at its own key; here windows end, and peers have spent.
            if time.monotonic() >= keys_due:
                await self._look_at_keys()
                keys_due = time.monotonic() + ALERT_SECONDS
            await self._hand_over()
            await self._adopt()
            await self._save()
            await asyncio.sleep(SPACING_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALERT_SECONDS):
                    await self._woken.wait()
        for queue in self._queues:
            queue.hold()
        await asyncio.Future()  # its owner cancels it

    async def _look_at_keys(self) -> None:
        began, held = self._clock(), list[Condition]()
        keys = tuple(key for key in self._gateway.ring if key.limits)
        for at in range(0, len(keys), KEYS_AT_ONCE):
            held += self._look_at(OF_KEYS, keys[at : at + KEYS_AT_ONCE])
            await asyncio.sleep(0)
        self._let_go(OF_KEYS, held, began)

    def _look_at(self, alert: Alert, keys: Collection[Key] = ()) -> list[Condition]:
        """What holds; what of it is news waits to be handed over."""
        assert self._marks is not None
        now = self._clock()
        held = list(alert.find(Seen(self._gateway, keys, self._unpriced, now)))
        for condition in held:
            has_place = len(self._news) < MOST_NEWS  # what finds none is found again
            if has_place and self._marks.is_news(alert, condition, now):
                self._news.append(alert.notice(condition, now))
                self._woken.set()
        return held

    def _let_go(self, alert: Alert, held: list[Condition], began: float) -> None:
        """What a look found to hold no more may be told again."""
        assert self._marks is not None
        over = list(self._marks.end(alert, held, began))
        if over:
            self._store_soon(partial(end_marks, over))

    async def _hand_over(self) -> None:
        """Store each notice, then have it told."""
        while self._news:
            notice = self._news.popleft()
            rows = [notice.as_row(one.channel.name) for one in self._queues]
            if await self._is_first(rows):
                if self._is_heir:
                    self._ours.add(notice.message_id)
                for queue in self._queues:
                    queue.put(notice)

    async def _is_first(self, rows: list[StoredNotice]) -> bool:
        """Whether no other process tells it; a failing database cannot say."""
        store = self._gateway.store
        if store.writer.last_error is None:
            with contextlib.suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(STORE_SECONDS):
                    return await store.write(put_notices, rows)
        self._keep(partial(put_notices, rows))
        return True

    async def _adopt(self) -> None:
        """Go on with what other processes have left to be told.

        Once with all of it, where this one is alone; else with what is overdue.
        """
        if self._clock() < self._adopt_at:
            return
        is_heir = self._is_heir and self._gateway.membership.is_alone
        overdue = None if is_heir else int(OVERDUE_SECONDS * 1000)
        by_name = {one.channel.name: one for one in self._queues}
        take = partial(take_over_notices, list(by_name), overdue)
        try:
            left = await self._gateway.store.write(take)
        except StoreUnavailable:
            return
        for row in left:
            id, queue = row["message_id"], by_name[row["channel"]]
            if id not in self._ours and not queue.has(id):
                notice = Notice.of_row(row, is_urgent=row["event"] in URGENT)
                queue.put(notice, row["attempts"], row["next_at"] / 1000)
        self._adopt_at = self._clock() + OVERDUE_SECONDS
        self._is_heir = False
        self._ours.clear()

    def _store_soon(self, change: Callable[[], object]) -> None:
        """Have a change written, after those that the database has not taken."""

        def look_after(written: "Future[Any]") -> None:  # on the writer's thread
            if isinstance(written.exception(), StoreUnavailable):
                self._keep(change)

        if self._unsaved:
            self._keep(change)
            return
        try:
            future = self._gateway.store.writer.submit(change)
        except StoreUnavailable:
            self._keep(change)
        else:
            future.add_done_callback(look_after)

    def _keep(self, change: Callable[[], object]) -> None:
        if len(self._unsaved) < MOST_UNSAVED:
            self._unsaved.append(change)

    async def _save(self) -> None:
        """Write what the database has not taken, in its order, once it is well."""
        store = self._gateway.store
        while self._unsaved and store.writer.last_error is None:
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    await store.write(self._unsaved[0])
            except (StoreUnavailable, TimeoutError):
                return
            self._unsaved.popleft()
