"""FailureKind: what an upstream failure means, by code, type or status. Pure."""

import re
from enum import StrEnum

from gateway.protocol.facts import Failure


class FailureKind(StrEnum):
    """What a failure means for the account and for the request."""

    CONNECT = "connect"  # no connection
    BROKEN = "broken"  # connection lost before an answer
    TIMEOUT = "timeout"
    SERVER = "server_error"
    OVERLOADED = "overloaded"
    SOCKET_ENDED = "socket_ended"  # the provider's limit for the age of a socket
    NO_SOCKETS = "no_sockets"
    RATE = "rate_limit"  # too fast; passes in seconds
    LIMIT = "usage_limit"  # a window is used up
    QUOTA = "quota"  # plan or balance does not cover the request
    UNAUTHORISED = "unauthorised"
    DEAD = "login_required"  # no token helps any more
    REFUSED = "refused"  # this account is turned away, not this request
    MODEL = "model"  # not part of this account's plan
    ANCHOR = "anchor"  # previous_response_id is unknown
    CLIENT = "client"  # the request itself is at fault
    CUT = "cut"  # inside a stream that the client already sees


PERMANENT_CODES = frozenset(
    {
        "refresh_token_expired",
        "refresh_token_reused",
        "refresh_token_invalidated",
        "account_deactivated",
        "account_suspended",
        "account_deleted",
    }
)


_KIND_OF_CODE = {
    **dict.fromkeys(PERMANENT_CODES, FailureKind.DEAD),
    "no_credentials": FailureKind.DEAD,
    "usage_limit_reached": FailureKind.LIMIT,
    "rate_limit_exceeded": FailureKind.RATE,
    "insufficient_quota": FailureKind.QUOTA,
    "quota_exceeded": FailureKind.QUOTA,
    "usage_not_included": FailureKind.QUOTA,
    "model_not_found": FailureKind.MODEL,
    "model_not_supported": FailureKind.MODEL,
    "previous_response_not_found": FailureKind.ANCHOR,
    "websocket_connection_limit_reached": FailureKind.SOCKET_ENDED,
    "server_is_overloaded": FailureKind.OVERLOADED,
    "slow_down": FailureKind.OVERLOADED,
    "server_error": FailureKind.SERVER,
    "internal_server_error": FailureKind.SERVER,
    "upstream_error": FailureKind.SERVER,
    "upstream_protocol_error": FailureKind.SERVER,
    "token_refresh_failed": FailureKind.REFUSED,
    "rate_limit_error": FailureKind.RATE,
    "deactivated_workspace": FailureKind.QUOTA,
    **dict.fromkeys(
        ("authentication_error", "invalid_api_key"), FailureKind.UNAUTHORISED
    ),
    **dict.fromkeys(("token_expired", "token_invalidated"), FailureKind.UNAUTHORISED),
    "stream_incomplete": FailureKind.BROKEN,
}


_KIND_OF_STATUS = {
    401: FailureKind.UNAUTHORISED,
    402: FailureKind.QUOTA,
    408: FailureKind.TIMEOUT,
    429: FailureKind.RATE,
    503: FailureKind.OVERLOADED,
    529: FailureKind.OVERLOADED,
}


# Upstream words the refusal of a model in prose, with status 400 and no code.
_MODEL_REFUSED = re.compile(
    r"model\b.{0,120}\bnot (?:supported|available|included)\b"
    r"|not have access to (?:the )?model",
    re.IGNORECASE | re.DOTALL,
)


# Facts about the account hold wherever they are said, inside a stream too.
_FACTS_IN_STREAM = frozenset(
    {FailureKind.LIMIT, FailureKind.RATE, FailureKind.QUOTA, FailureKind.DEAD}
)


def kind_of(failure: Failure) -> FailureKind:
    """Codes go before statuses, for a socket's failures may have no status."""
    kind = _kind_by_code(failure)
    if failure.phase == "stream" and kind not in _FACTS_IN_STREAM:
        return FailureKind.CUT
    if kind is not None:
        return kind
    if failure.status is None:
        return _kind_without_status(failure)
    return _kind_by_status(failure, failure.status)


def _kind_by_code(failure: Failure) -> FailureKind | None:
    for word in (failure.code, failure.type):
        kind = _KIND_OF_CODE.get(word or "")
        if kind is not None:
            return kind
    return None


def _kind_by_status(failure: Failure, status: int) -> FailureKind:
    if failure.phase == "handshake" and status in (404, 405, 426):
        return FailureKind.NO_SOCKETS
    if status == 403 and failure.code is None:
        return FailureKind.REFUSED
    if status == 400 and _MODEL_REFUSED.search(failure.message):
        return FailureKind.MODEL
    by_class = FailureKind.SERVER if status >= 500 else FailureKind.CLIENT
    return _KIND_OF_STATUS.get(status, by_class)


def _kind_without_status(failure: Failure) -> FailureKind:
    """No answer at all, or an event whose code is none of the known ones.

    An unknown code is taken for a verdict on the request: repeating it would cost
    tokens and blame accounts, and the client may know what it means.
    """
    if failure.code is not None and failure.code.endswith("timeout"):
        return FailureKind.TIMEOUT
    if failure.phase in ("connect", "handshake"):
        return FailureKind.CONNECT
    if failure.origin == "network":
        return FailureKind.BROKEN
    is_nameless = failure.origin == "upstream" and failure.code is None
    return FailureKind.SERVER if is_nameless else FailureKind.CLIENT
