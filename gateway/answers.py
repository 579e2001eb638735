"""What the client gets of the failure that ended its last attempt. Pure."""

import json
from typing import Any

from gateway.errors import (
    GatewayError,
    UpstreamAnswer,
    UpstreamUnavailable,
    UsageLimitReached,
)
from gateway.failover import Kind, kind_of
from gateway.protocol.facts import Failure


def from_failure(failure: Failure) -> GatewayError:
    """Upstream's own 4xx passes as it came; the rest says whose fault it is."""
    if kind_of(failure) is Kind.LIMIT:
        return UsageLimitReached(
            failure.message, resets_at=failure.resets_at, plan_type=failure.plan_type
        )
    if failure.status is None or failure.status >= 500:
        return UpstreamUnavailable(failure)
    body = _json_object(failure.body) or {
        "error": {
            "message": failure.message,
            "type": failure.type or "invalid_request_error",
            "code": failure.code,
            "param": failure.param,
        }
    }
    return UpstreamAnswer(failure.status, failure.message, body)


def _json_object(body: bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
