"""Forms of clients that sign in: small, without a cookie, and of no web page."""

import asyncio
from collections.abc import Awaitable
from typing import ClassVar, TypeVar
from urllib.parse import parse_qsl

from gateway.admission.client_address import is_https, is_local
from gateway.admission.origins import check_origin
from gateway.errors import ForbiddenOrigin, GatewayError, NotFound
from gateway.oauth.errors import OAuthError
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.database import StoreUnavailable
from handlers.bodies import BodyHandler
from handlers.dashboard.doors import DashboardClosed, why_session_unsafe

T = TypeVar("T")

MAX_OAUTH_BYTES = 8 * 1024
_MOST_FIELDS = 32
_FORM_TYPE = "application/x-www-form-urlencoded"
# Longer than the database waits for a lock: what was given and not told would be lost.
OAUTH_SECONDS = 10.0


class OAuthHandler(BodyHandler):
    """An endpoint of the authorization server; its errors are RFC 6749's (5.2)."""

    max_body_bytes = MAX_OAUTH_BYTES
    needs_pages: ClassVar[bool] = False  # nobody can sign in without them

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("cache-control", "no-store")
        self.set_header("pragma", "no-cache")  # RFC 6749, 5.1

    def authenticate(self) -> None:
        """The form itself is the credential: where from does it come, and how?"""
        facts, settings = self.facts, self.gateway.settings
        if "origin" in facts.headers:
            raise ForbiddenOrigin
        check_origin(facts, settings)  # what else browsers say of a page
        if not is_https(facts, settings) and not is_local(facts):
            raise DashboardClosed(why_session_unsafe(facts, settings))
        if self.needs_pages and settings.dashboard == "off":
            raise NotFound
        if self.request.query:
            raise OAuthError("Parameters stand in the body: URLs are logged")

    @property
    def browser(self) -> BrowserFacts:
        """Where the client asks from, as its person's consent shows it."""
        return BrowserFacts.of(self.facts, self.gateway.settings)

    async def form(self) -> dict[str, str]:
        """The fields that have a value, each once. Raises OAuthError."""
        kind = self.request.headers.get("content-type", "").partition(";")[0]
        body = await self.read_body()
        self.release_body()
        if kind.strip().lower() != _FORM_TYPE:
            raise OAuthError(f"The body is {_FORM_TYPE}")
        try:
            pairs = parse_qsl(
                body.decode(), max_num_fields=_MOST_FIELDS, errors="strict"
            )
        except ValueError as error:
            raise OAuthError("The form cannot be read") from error
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise OAuthError("A field stands in the form twice")
        return fields

    async def within(self, seconds: float, answer: Awaitable[T]) -> T:
        """The answer, in time. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError as error:
            raise StoreUnavailable from error

    def write_error_body(self, error: GatewayError) -> None:
        self.clear_header("retry-after")  # clients have a pace of their own
        body = {"error": _code_of(error), "error_description": str(error)}
        self.write_json(body, error.status)


def _code_of(error: GatewayError) -> str:
    if isinstance(error, OAuthError):
        return error.code
    if error.status >= 500:
        return "temporarily_unavailable"
    return OAuthError.code
