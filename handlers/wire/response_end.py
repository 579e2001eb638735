"""Ends a response other than Tornado would: broken off, or with its connection.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6:
`RequestHandler._headers_written`, and `HTTP1Connection.close` ending a connection
whose response is finished.
"""

import asyncio
from contextlib import suppress
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

assert {"_headers_written"} <= set(RequestHandler.flush.__code__.co_names)
assert callable(HTTP1Connection.close)


def has_begun(handler: RequestHandler) -> bool:
    """Whether the head of the response has been sent."""
    return handler._headers_written


def break_off(handler: RequestHandler) -> None:
    """Close the connection in the middle of the response.

    Tornado would end the chunked body properly, and the client would take half a
    stream for a whole one.
    """
    handler.detach().close()


def close_connection(request: HTTPServerRequest) -> None:
    """Close the connection of a finished response."""
    if isinstance(request.connection, HTTP1Connection):
        request.connection.close()


def cancel_handler(task: "asyncio.Task[Any]") -> None:
    """Cancel a handler's task, and let go of all that its traceback holds."""
    task.add_done_callback(_take_cancellation)
    task.cancel()


def _take_cancellation(task: "asyncio.Task[Any]") -> None:
    """Take the error from the task: Tornado's frames hold one another by it."""
    with suppress(asyncio.CancelledError):
        task.exception()
