"""Supervisor: owns the tasks that live as long as the process, and restarts them."""

import asyncio
import logging
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import islice

TaskFunction = Callable[[], Awaitable[None]]

logger = logging.getLogger("gateway.tasks")

# Seconds before a task that failed is started again: doubled with each failure, until
# one ran for long enough to be well.
FIRST_PAUSE = 0.5
LAST_PAUSE = 30.0
STEADY_SECONDS = 60.0
_FRAMES_TOLD = 4


class Supervisor:
    """No task dies in silence: each failure is one line of the log, and counted."""

    def __init__(self, first_pause: float = FIRST_PAUSE) -> None:
        self.failures: Counter[str] = Counter()  # by task
        self._first_pause = first_pause
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, run: TaskFunction) -> None:
        """Have a task run until `stop`; `run` is called again when it ended."""
        self.failures[name] = 0
        self._tasks.append(asyncio.create_task(self._keep_running(name, run)))

    async def stop(self) -> None:
        """Cancel all tasks, and wait for their ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def surviving(self, name: str) -> Iterator[None]:
        """Do one of several things of a task: its failure does not cost the others."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            # Whatever one value is like, the rest must be done.
            self._note(name, error, "it goes on")

    async def _keep_running(self, name: str, run: TaskFunction) -> None:
        pause = self._first_pause
        while True:
            started = time.monotonic()
            error: BaseException | None = None
            try:
                await run()
            except asyncio.CancelledError as cancelled:
                # It may also come out of something that was awaited.
                if _is_cancelled():
                    raise
                error = cancelled
            except Exception as failed:  # noqa: BLE001
                # The next try may find the world another.
                error = failed
            if time.monotonic() - started > STEADY_SECONDS:
                pause = self._first_pause
            self._note(name, error, f"started again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _note(self, name: str, error: BaseException | None, what_next: str) -> None:
        self.failures[name] += 1
        told = "it ended" if error is None else _describe(error)
        logger.error("the task %s failed, %s: %s", name, what_next, told)


def _is_cancelled() -> bool:
    """Whether the running task itself is to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _describe(error: BaseException) -> str:
    """The error's type and its place; no values, which may be anybody's words."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    places = (
        f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}"
        for frame in islice(frames, _FRAMES_TOLD)
    )
    return f"{type(error).__name__} in {', '.join(places)}"
