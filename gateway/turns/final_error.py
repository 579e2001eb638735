"""Turns the failure of the last attempt into the client's error. Pure."""

from typing import Any

from gateway.errors import (
    LONGEST_RETRY_AFTER,
    GatewayError,
    NoAccounts,
    PreviousResponseNotFound,
    UpstreamAnswer,
    UpstreamUnavailable,
    UsageLimitReached,
)
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import rules_of
from gateway.protocol.lenient_json import dump, load_object, text

# Failures that keep a status of their own when a stream is folded into one document.
_FOLDED_STATUS = {
    error.code: error.status for error in (PreviousResponseNotFound, NoAccounts)
}


def final_error(failure: Failure, *, codex: bool) -> GatewayError:
    """Upstream's own 4xx passes as it came; the rest says whose fault it is."""
    if rules_of(failure).is_usage_limit:
        return UsageLimitReached(
            failure.message, resets_at=failure.resets_at, plan_type=failure.plan_type
        )
    if failure.status is None or not 400 <= failure.status < 500:
        return UpstreamUnavailable(failure)
    body = _envelope(failure.body) or {
        "error": {
            "message": failure.message,
            "type": failure.type or "invalid_request_error",
            "code": failure.code,
            "param": failure.param,
        }
    }
    error = UpstreamAnswer(failure.status, failure.message, body)
    error.retry_after = failure.retry_after
    if codex and failure.retry_after is not None:
        # The Codex client sits silent for as long as it is told.
        error.retry_after = min(failure.retry_after, LONGEST_RETRY_AFTER)
    return error


def folded_error(error: object) -> UpstreamAnswer:
    """The client's error for a failed response of which nothing has been sent yet."""
    shown = error if isinstance(error, dict) else {}
    code = shown.get("code")
    code = str(code) if isinstance(code, str | int) and code else "upstream_error"
    message = text(shown.get("message")) or "The upstream service failed"
    if dump(shown) is None:
        shown = {}  # nested too deeply to be written
    shown = {"type": "server_error", **shown, "code": code, "message": message}
    return UpstreamAnswer(_FOLDED_STATUS.get(code, 502), message, {"error": shown})


def _envelope(body: bytes | None) -> dict[str, Any] | None:
    """Upstream's own error body, if it can be serialised again."""
    value = load_object(body or b"")
    return value if value and dump(value) is not None else None
