"""All errors of the gateway: status, code, type, param and whose fault it is.

Every class is one row of the table of answers. `envelope` and `headers` give
what the client gets; the Codex surface and the public one differ in a few rows,
for the Codex client would sit silent for the whole of a long Retry-After.
"""

import time
from typing import Any, ClassVar, Self

from gateway.protocol.facts import Failure, LoggedError, Origin, Phase

LONGEST_RETRY_AFTER = 5.0  # seconds


def forget_traceback(error: BaseException) -> None:
    """For an error that was dealt with, or is only an answer from here on.

    The frames it came through hold tasks and futures that hold the error: the
    request's body with them would stay until the collector of cycles comes by.
    """
    cause: BaseException | None = error
    while cause is not None and cause.__traceback__ is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__


class GatewayError(Exception):
    """A failure with its answer; `str()` is the message the client reads."""

    status: int = 500
    code: str = "server_error"
    type: str = "server_error"
    message: ClassVar[str] = "Internal server error"
    origin: Origin = "gateway"
    is_logged = False  # in a turn's row; all others leave a light one
    request_id: str | None = None  # where its turn has not begun
    for_owner: dict[str, Any] | None = None  # `reason`, `api_key_id`; for no client

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        phase: Phase | None = None,
        origin: Origin | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.param = param
        self.phase = phase
        self.redacted: LoggedError | None = None  # for the log, where words are others'
        self.passed_over: tuple[tuple[str, str], ...] = ()  # (account, why not it)
        self.retry_after = retry_after  # seconds
        if origin is not None:
            self.origin = origin

    def envelope(self, *, codex: bool) -> dict[str, Any]:
        """The JSON object the client gets."""
        error: dict[str, Any] = {
            "message": str(self),
            "type": self.type,
            "code": self.code,
            "origin": self.origin,
        }
        if self.param is not None:
            error["param"] = self.param
        if self.phase is not None:
            error["phase"] = self.phase
        return {"error": error}

    def headers(self, *, codex: bool) -> dict[str, str]:
        if self.retry_after is None:
            return {}
        return {"retry-after": str(max(1, round(self.retry_after)))}


class InvalidPayload(GatewayError):
    status = 400
    code = type = "invalid_request_error"
    message = "Invalid request payload"
    origin: Origin = "client"

    @classmethod
    def because(cls, reason: str, *, param: str | None = None) -> Self:
        """With the rule that was broken; the reason holds no values of the client's."""
        return cls(f"{cls.message}: {reason}", param=param)


class UndecodableBody(InvalidPayload):
    code = "invalid_request"
    message = "Request body is compressed but could not be decompressed"


class PayloadTooLarge(InvalidPayload):
    status = 413
    code = "payload_too_large"
    message = "Request body is too large"


class HeadersTooLarge(InvalidPayload):
    status = 431
    code = "headers_too_large"
    message = "Request headers are larger than 64 KiB"


class NotFound(InvalidPayload):
    status = 404
    code = "not_found"
    message = "Not Found"


class MethodNotAllowed(InvalidPayload):
    status = 405
    message = "Method Not Allowed"


class InvalidApiKey(GatewayError):
    status = 401
    code = "invalid_api_key"
    type = "authentication_error"
    message = "Invalid API key"
    origin: Origin = "client"


class TooManyFailedKeys(GatewayError):
    """A peer that keeps presenting wrong keys is answered late and shortly."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    message = "Too many requests with an invalid API key"
    origin: Origin = "client"


class ForbiddenOrigin(GatewayError):
    status = 403
    code = "forbidden_origin"
    type = "permission_error"
    message = "Requests from web pages of another origin are refused"
    origin: Origin = "client"


class UsageLimitReached(GatewayError):
    """All accounts are limited; `resets_at` (unix seconds) of the first to return."""

    status = 429
    code = type = "usage_limit_reached"
    message = "The usage limit has been reached"
    origin: Origin = "account"

    def __init__(
        self,
        message: str | None = None,
        *,
        resets_at: float | None = None,
        plan_type: str | None = None,
    ) -> None:
        super().__init__(message)
        self.resets_at = resets_at
        self.plan_type = plan_type

    def envelope(self, *, codex: bool) -> dict[str, Any]:
        body = super().envelope(codex=codex)
        if self.plan_type is not None:
            body["error"]["plan_type"] = self.plan_type
        if self.resets_at is not None:
            body["error"]["resets_at"] = int(self.resets_at)
            body["error"]["resets_in_seconds"] = self._seconds_left()
        return body

    def headers(self, *, codex: bool) -> dict[str, str]:
        if codex or self.resets_at is None:
            return {}
        return {"retry-after": str(self._seconds_left())}

    def _seconds_left(self) -> int:
        return max(1, round((self.resets_at or 0) - time.time()))


class KeyLimitReached(UsageLimitReached):
    """The key's own budget; the public surface has its own type and code for it."""

    origin: Origin = "client"

    def envelope(self, *, codex: bool) -> dict[str, Any]:
        body = super().envelope(codex=codex)
        if not codex:
            body["error"]["type"] = "rate_limit_error"
            body["error"]["code"] = "rate_limit_exceeded"
        return body


class GatewayOverloaded(GatewayError):
    status = 503
    code = "gateway_overloaded"
    message = "The gateway has no room for another request at the moment"

    def __init__(self, message: str | None = None, retry_after: float = 5) -> None:
        super().__init__(message, retry_after=retry_after)


class NoAccounts(GatewayError):
    status = 503
    code = "no_accounts"
    message = "No account of this gateway is available"
    origin: Origin = "account"


class NoneInService(GatewayError):
    """What time does not mend: no 503, upon which clients come back for minutes."""

    status = 400
    type = "invalid_request_error"
    origin: Origin = "account"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UpgradeRequired(GatewayError):
    """Codex falls back to HTTP at once, and for good, upon this one only."""

    status = 426
    code = "upgrade_required"
    type = "invalid_request_error"
    message = "WebSockets are not available here; use HTTP"


class PreviousResponseNotFound(GatewayError):
    """The client resends its whole history upon this code."""

    status = 400
    code = "previous_response_not_found"
    type = "invalid_request_error"
    origin: Origin = "upstream"

    def __init__(self, response_id: str) -> None:
        super().__init__(
            f"Previous response with id '{response_id:.100}' not found.",
            param="previous_response_id",
        )
        words = "Previous response not found."
        self.redacted = LoggedError(self.code, self.type, self.param, words)


class ForeignCompaction(GatewayError):
    """A compaction item is readable only by the account that made it."""

    status = 400
    code = "invalid_encrypted_content"
    type = "invalid_request_error"
    message = (
        "The compacted history belongs to an account that is no longer available; "
        "start a new conversation"
    )
    origin: Origin = "account"


class NoUpstreamSession(InvalidPayload):
    message = "WebSocket connection has no active upstream session"


class UpstreamUnavailable(GatewayError):
    """No answer came; code and type are upstream's own where it gave any."""

    status = 502
    code = "upstream_unavailable"

    def __init__(self, failure: Failure, message: str | None = None) -> None:
        super().__init__(message or failure.message, phase=failure.phase)
        self.origin = failure.origin
        self.code = failure.code or self.code
        self.type = failure.type or self.type


class UpstreamAnswer(GatewayError):
    """Upstream's own error, as the client gets it; `str()`, for the log, hides less."""

    code = "upstream_error"
    origin: Origin = "upstream"

    def __init__(
        self,
        status: int,
        message: str,
        body: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._body = body
        self._headers = headers or {}

    def envelope(self, *, codex: bool) -> dict[str, Any]:
        return self._body

    def headers(self, *, codex: bool) -> dict[str, str]:
        return self._headers
