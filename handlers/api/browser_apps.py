"""OPTIONS /v1/…: what a trusted page's browser asks before it sends a key."""

from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher

from gateway.admission.origins import BASE_PATH, PREFLIGHT_HEADERS
from handlers.bodies import BodilessHandler


class PreflightMatches(Matcher):
    """Matches preflights of trusted pages; others are requests like any other."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        is_preflight = (
            request.method == "OPTIONS"
            and request.path.startswith(BASE_PATH)
            and request.headers.get("origin") in self._origins
            and "access-control-request-method" in request.headers
        )
        return {} if is_preflight else None


class PreflightHandler(BodilessHandler):
    """Says what such a page may send, whatever path below /v1 it asks for."""

    def options(self, *args: str, **kwargs: str) -> None:
        for name, value in PREFLIGHT_HEADERS.items():
            self.set_header(name, value)
        self.set_status(204)
        self.finish()
