"""What the client gets when nothing else can be tried. Pure."""

from typing import Any

from gateway.errors import (
    LONGEST_RETRY_AFTER,
    GatewayError,
    UpstreamAnswer,
    UpstreamUnavailable,
    UsageLimitReached,
)
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import CODES, FailureKind, rules_of
from gateway.protocol.failures import uncompared
from gateway.protocol.lenient_json import dump, load_object, text

# Of errors that came in an event, which has no status, before anything was sent.
_STATUS_OF_KIND = {
    FailureKind.USAGE_LIMIT: 429,
    FailureKind.RATE_LIMIT: 429,
    FailureKind.QUOTA: 429,
    FailureKind.MODEL: 400,
    FailureKind.PREVIOUS_RESPONSE: 400,
}


def final_error(failure: Failure, *, codex: bool) -> GatewayError:
    """Upstream's own 4xx passes as it came; the rest says whose fault it is."""
    error = _error_of(failure, codex=codex)
    told, is_ours = failure.logged, isinstance(error, UsageLimitReached)
    code = (None if is_ours else told.code) or type(error).code
    error.redacted = told._replace(code=code)
    return error


def _error_of(failure: Failure, *, codex: bool) -> GatewayError:
    if rules_of(failure).is_usage_limit:
        return UsageLimitReached(
            failure.message, resets_at=failure.resets_at, plan_type=failure.plan_type
        )
    status = failure.status or _status_of(failure.code, failure.type)
    if status is None or not 400 <= status < 500:
        return UpstreamUnavailable(failure)
    body = _envelope(failure.body, codex=codex) or {
        "error": {
            "message": failure.message,
            "type": failure.type or "invalid_request_error",
            "code": failure.code,
            "param": failure.param,
        }
    }
    error = UpstreamAnswer(status, failure.message, body)
    error.retry_after = failure.retry_after
    if codex and failure.retry_after is not None:
        # The Codex client sits silent for as long as it is told.
        error.retry_after = min(failure.retry_after, LONGEST_RETRY_AFTER)
    return error


def _envelope(body: bytes | None, *, codex: bool) -> dict[str, Any] | None:
    """Upstream's own error body, if it can be serialised again.

    Codex reads `detail`; the SDKs show a reason only where `error` is an object.
    """
    value = load_object(body or b"")
    if not codex and not isinstance(value.get("error"), dict):
        return None
    return value if value and dump(value) is not None else None


def folded_error(error: object) -> UpstreamAnswer:
    """The client's error for a failed response of which nothing has been sent yet."""
    shown = error if isinstance(error, dict) else {}
    code = shown.get("code")
    code = str(code) if isinstance(code, str | int) and code else "upstream_error"
    message = text(shown.get("message")) or "The upstream service failed"
    if dump(shown) is None:
        shown = {}  # nested too deeply to be written
    status = _status_of(code, text(shown.get("type"))) or 502
    by_default = "invalid_request_error" if status == 400 else "server_error"
    shown = {"type": by_default, **shown, "code": code, "message": message}
    answer = UpstreamAnswer(status, message, {"error": shown})
    answer.redacted = uncompared(code, text(shown.get("type")))
    return answer


def _status_of(code: str | None, type: str | None) -> int | None:
    """The status for an error that came without one; None: it is not the request's."""
    known = next((CODES[word] for word in (code, type) if word in CODES), None)
    if known is None:
        return None
    by_kind = _STATUS_OF_KIND.get(known.kind) if known.kind else None
    return by_kind or (400 if known.origin == "client" else None)
