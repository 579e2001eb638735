"""Event streams of live views (WHATWG HTML 9.2), for pages that are open.

A slow reader gets what is there when it has read: nothing is queued for it.
"""

import asyncio
from collections.abc import Hashable
from typing import Any, ClassVar

from gateway.errors import GatewayError
from gateway.sign_in.users import Role
from handlers.dashboard.base import PageHandler
from handlers.dashboard.live_views import LiveView, LiveViews, Take
from handlers.dashboard.page_errors import SignInNeeded
from handlers.wire.response_end import break_off, cancel_handler, has_begun

_HEARTBEAT = b":\n\n"
_RETRY = b"retry: 1000\n\n"  # of the browser, after any end
_OVER = "ended"  # upon which the page stops asking
_WHY_OVER = (
    b'<p class="notice notice-warn">This page has stopped: your session has ended, or '
    b'your role has changed. <a href="">Load it again</a></p>'
)


class EventStream(PageHandler):
    """Streams a view; ends with its session, and when the gateway drains."""

    least_role: ClassVar = {"get": Role.VIEWER}
    _watching: "asyncio.Task[None] | None" = None

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        return ("GET",)  # it has no end that a HEAD could wait for

    @property
    def ends_connection(self) -> bool:
        """On a kept one the browser would come back to a process that is leaving."""
        return True

    def on_connection_close(self) -> None:
        super().on_connection_close()
        task, self._watching = self._watching, None
        if task is not None:
            cancel_handler(task)

    async def follow(self, name: Hashable, take: Take) -> None:
        """Send a view whenever it has changed. Raises TooManyWatchers."""
        assert self.user is not None
        self._role = self.user.role
        self._views: LiveViews = self.settings["live_views"]
        self._watching = asyncio.current_task()
        with self._views.watch(self.user.id, name, take) as view:
            self.set_header("content-type", "text/event-stream; charset=utf-8")
            self.set_header("cache-control", "no-store, no-transform")
            self.set_header("x-accel-buffering", "no")  # nginx would collect otherwise
            is_read = await self._send_all(view)
        self._watching = None
        if is_read:
            is_ours = self.gateway.is_draining
            await self.finish(b"" if is_ours else event(_OVER, _WHY_OVER))
        else:
            break_off(self)

    async def _send_all(self, view: LiveView) -> bool:
        """Whether the reader has kept up until the stream is over."""
        loop = asyncio.get_running_loop()
        block, seen, due = _RETRY, b"", 0.0
        while not self._is_over():
            if block:
                if not await self._send_block(block):
                    return False
                due = loop.time() + self._views.quiet
            newest = await view.newer(seen, self._views.period)
            block = newest if newest != seen else b""
            if not block and loop.time() >= due:
                block = _HEARTBEAT
            seen = newest
        return True

    async def _send_block(self, block: bytes) -> bool:
        """Wait until the kernel has it; whether it does before the stream is over."""
        self.write(block)
        flushed = self.flush()
        while not flushed.done():
            if self._is_over():
                return False
            await asyncio.wait({flushed}, timeout=self._views.period)
        flushed.result()
        return True

    def _is_over(self) -> bool:
        """Asked each period, for nothing announces the end of a session."""
        if self.gateway.is_draining:
            return True
        self._find_session()
        return self.user is None or self.user.role is not self._role

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Inside the stream, only its end can tell."""
        if has_begun(self):
            break_off(self)
        else:
            super().send_error(status_code, **kwargs)

    def write_error_body(self, error: GatewayError) -> None:
        if isinstance(error, SignInNeeded):  # no script follows the way to a sign-in
            self.set_status(error.status)
            self.set_header("content-type", "text/plain; charset=utf-8")
            self.finish(str(error))
        else:
            super().write_error_body(error)


def event(name: str, text: bytes) -> bytes:
    """One event, whatever its text has of line ends."""
    lines = b"".join(b"data: %b\n" % line for line in text.splitlines())
    return b"event: %b\n%b\n" % (name.encode(), lines)
