"""Begins a response's head with its date, and nothing that is taken out again.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6: these attributes
being all that `RequestHandler.clear` sets.
"""

import time
from functools import lru_cache

from tornado.httputil import HTTPHeaders, format_timestamp
from tornado.web import RequestHandler

assert {"_headers", "_write_buffer", "_status_code", "_reason"} <= set(
    RequestHandler.clear.__code__.co_names
)

# It is told in seconds, and a busy second has a thousand responses.
_date = lru_cache(maxsize=1)(format_timestamp)


def begin_head(handler: RequestHandler) -> None:
    """Forget what was set of the response."""
    handler._headers = HTTPHeaders()
    handler._headers["Date"] = _date(int(time.time()))
    handler._write_buffer = []
    handler._status_code = 200
    handler._reason = "OK"
