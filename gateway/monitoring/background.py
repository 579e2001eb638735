"""Background tasks: what a person began, and what goes on without that request."""

import asyncio
import logging
import time
from secrets import token_urlsafe
from typing import ClassVar, TypeVar

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin

logger = logging.getLogger("gateway.tasks")

# Those that ended are kept for who comes back to see: so many of each kind.
MOST_ENDED = 16
_FAILED = "It failed: the log has one line of it"


class TooManyTasks(GatewayError):
    """As many of a kind are under way as may be."""

    status = 409
    code = "too_many_tasks"
    type = "invalid_request_error"
    origin: Origin = "client"


class BackgroundTask:
    """One of a kind, of which `most` run at a time, each for at most `seconds`.

    What it has found so far stands in its attributes, `problem` says why it failed.
    """

    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 600.0
    kind: ClassVar[str] = "task"

    def __init__(self) -> None:
        self.id = token_urlsafe(16)
        self.began_at = time.time()
        self.problem = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is None or not self._task.done()

    async def run(self) -> None:
        """The work itself; a GatewayError's text becomes the problem."""
        raise NotImplementedError

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def cancel(self) -> None:
        """End it now; of one that has ended nothing changes."""
        if self._task is not None and self.is_running:
            self.problem = "It was cancelled"
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        deadline = asyncio.timeout(self.seconds)
        try:
            async with deadline:
                await self.run()
        except GatewayError as error:
            self.problem = str(error)
        except Exception as error:  # noqa: BLE001
            # Nobody awaits it: who looks at it must learn that it failed.
            self.problem = "Its time ran out" if deadline.expired() else _FAILED
            if not deadline.expired():
                logger.error("a %s failed: %s", self.kind, type(error).__name__)


T = TypeVar("T", bound=BackgroundTask)


class BackgroundTasks:
    """Owns them all: they end with the gateway."""

    def __init__(self) -> None:
        self._held: dict[str, BackgroundTask] = {}  # the oldest first

    def start(self, task: T) -> T:
        """Raises TooManyTasks."""
        same = self.of(type(task))
        running = sum(one.is_running for one in same)
        if running >= task.most:
            has = "one" if running == 1 else f"{running}"
            raise TooManyTasks(
                f"There is {has} {task.kind} under way already: wait for its end, or "
                "cancel it"
            )
        ended = [one for one in same if not one.is_running]
        for one in ended[: max(0, len(ended) + 1 - MOST_ENDED)]:
            del self._held[one.id]
        self._held[task.id] = task
        task.start()
        return task

    def of(self, kind: type[T]) -> list[T]:
        """Those of a kind that run, or ended lately; the oldest first."""
        return [one for one in self._held.values() if isinstance(one, kind)]

    def find(self, kind: type[T], id: str) -> T | None:
        found = self._held.get(id)
        return found if isinstance(found, kind) else None

    async def close(self) -> None:
        """Cancel what runs."""
        for task in list(self._held.values()):
            await task.cancel()
