"""ChannelQueue: what one channel is to tell, tried again until that has an end."""

import asyncio
import contextlib
import heapq
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.events import Topic
from gateway.notifications.channels import Channel, send_in_time
from gateway.notifications.notice import ChannelFailed, Notice
from gateway.store.notices import StoredNotice

logger = logging.getLogger("gateway.notifications")

# Seconds after each attempt that failed; with the last, some four hours have gone by.
RETRY_PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0)
# Notices of one channel that wait; a kB each.
MOST_QUEUED = 500
LONGEST_SLEEP = 60.0  # the clock may be set
_TOO_MANY = "too many wait"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; `changes` are those of its stored row."""

    notice: Notice
    channel: str
    kind: str  # told, failed, given_up
    changes: StoredNotice


class ChannelQueue:
    """Its owner runs `run`; `put` never waits."""

    def __init__(
        self,
        channel: Channel,
        pauses: tuple[float, ...] = RETRY_PAUSES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.channel = channel
        self.settled = Topic[Outcome]()
        self.trouble = ""  # what the last attempt met
        self._pauses = pauses
        self._clock = clock
        self._order = itertools.count()
        # When it is due, and how often it was tried.
        self._waiting: list[tuple[float, int, int, Notice]] = []
        self._came = asyncio.Event()
        self._is_held = False
        self._attempted = ""  # what is being told

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, notice: Notice, attempts: int = 0, due: float = 0.0) -> None:
        """Have it told when it is due; the newest is given up when there are too many.

        `due` in unix seconds.
        """
        if len(self._waiting) >= MOST_QUEUED:
            self._settle(notice, "given_up", attempts, _TOO_MANY, None)
            return
        heapq.heappush(self._waiting, (due, next(self._order), attempts, notice))
        self._came.set()

    def has(self, message_id: str) -> bool:
        """Whether it waits here, or is being told."""
        waiting = any(one.message_id == message_id for *_, one in self._waiting)
        return waiting or self._attempted == message_id

    def hold(self) -> None:
        """Begin no further attempt: what waits is another process's."""
        self._is_held = True

    async def run(self) -> None:
        """Tell what is due, for ever; its owner cancels it."""
        while True:
            self._came.clear()
            is_idle = self._is_held or not self._waiting
            pause = LONGEST_SLEEP if is_idle else self._waiting[0][0] - self._clock()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(pause, LONGEST_SLEEP)):
                        await self._came.wait()
                continue
            _, _, attempts, notice = heapq.heappop(self._waiting)
            self._attempted = notice.message_id
            await self._attempt(notice, attempts + 1)
            self._attempted = ""

    async def _attempt(self, notice: Notice, attempts: int) -> None:
        try:
            answer = await send_in_time(self.channel, notice)
        except ChannelFailed as failure:
            self._fail(notice, attempts, str(failure))
        else:
            self.trouble = ""
            self._settle(notice, "told", attempts, answer, None)

    def _fail(self, notice: Notice, attempts: int, why: str) -> None:
        if not self.trouble:
            logger.warning("%s does not take notices: %s", self.channel.name, why)
        self.trouble = why
        if attempts > len(self._pauses):
            self._settle(notice, "given_up", attempts, why, None)
            return
        due = self._clock() + self._pauses[attempts - 1]
        self._settle(notice, "failed", attempts, why, due)
        self.put(notice, attempts, due)

    def _settle(
        self,
        notice: Notice,
        kind: str,
        attempts: int,
        answer: str,
        due: float | None,
    ) -> None:
        changes: StoredNotice = {
            "attempts": attempts,
            "answer": answer[:200],
            "next_at": None if due is None else int(due * 1000),
        }
        if kind == "told":
            changes["told_at"] = int(self._clock() * 1000)
        self.settled.publish(Outcome(notice, self.channel.name, kind, changes))
