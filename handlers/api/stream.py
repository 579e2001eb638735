"""The base of handlers whose answers are streams: vanished clients, broken ends."""

import asyncio
from typing import Any

from handlers.base import BodyHandler


class StreamHandler(BodyHandler):
    """A response that may outlive its client."""

    _client_gone = False
    _task: "asyncio.Task[Any] | None" = None

    def prepare(self) -> None:
        self._task = asyncio.current_task()
        super().prepare()

    def on_connection_close(self) -> None:
        """Cancel the handler: every `finally` below it runs, and no more."""
        super().on_connection_close()
        self._client_gone = True
        if self._task is not None:
            self._task.cancel()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """After the first byte, break the connection instead of answering.

        Tornado would end the chunked body properly here, and the client
        would take half a stream for a whole one.
        """
        if self._client_gone or self.rest.is_being_dropped:
            return
        if self._headers_written:
            self.detach().close()
            return
        super().send_error(status_code, **kwargs)
