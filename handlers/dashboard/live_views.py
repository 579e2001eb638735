"""Live views: what many watch at once, rendered once for all of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin

PERIOD_SECONDS = 1.0
# Of what has not changed; less than any proxy waits for a byte.
QUIET_SECONDS = 15.0
# Browsers have six HTTP/1.1 connections for a host: two are left for pages.
MOST_OF_USER = 4
MOST_WATCHERS = 32

# Looks at memory, on the loop; what it returns renders that, on another thread.
Take = Callable[[], Callable[[], bytes]]


class TooManyWatchers(GatewayError):
    status = 429
    code = "too_many_watchers"
    type = "rate_limit_error"
    message = "Too many pages are watching: close one, then load this one again"
    origin: Origin = "client"


class LiveView:
    """One view, rendered anew each period until it is closed."""

    def __init__(self, take: Take, period: float) -> None:
        self.watchers = 0
        self._take = take
        self._period = period
        self._block = b""
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._render_regularly())

    async def newer(self, seen: bytes, seconds: float) -> bytes:
        """The view, once it is another than `seen`; after so long, as it is.

        Raises what kept it from being rendered.
        """
        if self._block in (b"", seen) and not self._task.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
        if self._task.done():
            self._task.result()
        return self._block

    def close(self) -> None:
        self._task.cancel()

    async def _render_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                block = await loop.run_in_executor(None, self._take())
                if block != self._block:
                    self._block = block
                    self._wake()
                await asyncio.sleep(self._period)
        finally:
            self._wake()

    def _wake(self) -> None:
        """Whoever waits now; those who come later wait for the next time."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class LiveViews:
    """All that are being watched, and by whom."""

    def __init__(
        self, period: float = PERIOD_SECONDS, quiet: float = QUIET_SECONDS
    ) -> None:
        self.period, self.quiet = period, quiet
        self._views: dict[Hashable, LiveView] = {}
        self._watchers: Counter[int] = Counter()  # by user

    def __len__(self) -> int:
        return len(self._views)

    @property
    def watching(self) -> int:
        return self._watchers.total()

    @contextmanager
    def watch(self, user_id: int, name: Hashable, take: Take) -> Iterator[LiveView]:
        """A view under its name, made by its first watcher and closed by its last.

        Raises TooManyWatchers.
        """
        mine = self._watchers[user_id]
        if mine >= MOST_OF_USER or self.watching >= MOST_WATCHERS:
            raise TooManyWatchers
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = LiveView(take, self.period)
        view.watchers += 1
        self._watchers[user_id] += 1
        try:
            yield view
        finally:
            view.watchers -= 1
            self._watchers -= Counter([user_id])  # none is not kept
            if not view.watchers:
                del self._views[name]
                view.close()
