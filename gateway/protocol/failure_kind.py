"""The table of failures: what each code, type and status means, and what follows.

`CODES` and `STATUSES` give a failure its kind and say whose fault it is. `KINDS` has
one row for each kind: what it blames, whether and where the request is tried again,
how the account is cooled or limited, what the client gets. Every part of the gateway
that judges a failure reads these rows and holds no rule of its own.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.protocol.facts import Failure, Origin


class FailureKind(StrEnum):
    """What a failure means for the account and for the request."""

    CONNECT = "connect"  # no connection
    CONNECTION_LOST = "broken"  # before an answer
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    SOCKET_ENDED = "socket_ended"  # the provider's limit for the age of a socket
    NO_SOCKETS = "no_sockets"
    RATE_LIMIT = "rate_limit"  # too fast; passes in seconds
    USAGE_LIMIT = "usage_limit"  # a rate-limit window is used up
    QUOTA = "quota"  # plan or balance does not cover the request
    UNAUTHORISED = "unauthorised"
    LOGIN_REQUIRED = "login_required"  # no token helps any more
    REFUSED = "refused"  # this account is turned away, not this request
    MODEL = "model"  # not part of this account's plan
    PREVIOUS_RESPONSE = "anchor"  # previous_response_id is unknown
    CLIENT = "client"  # the request itself is at fault
    MID_STREAM = "cut"  # inside a stream that the client already sees


class Blame(StrEnum):
    """What a failure speaks against, and so what is changed by it."""

    NOTHING = "nothing"
    REQUEST = "request"  # not even noted as the account's last error
    ACCOUNT = "account"  # cools down, see `Cooling`
    WINDOW = "window"  # a window of the account is used up until its reset
    BALANCE = "balance"  # the account's plan or balance is used up
    LOGIN = "login"  # the account needs a new login
    MODEL = "model"  # this model at this account
    SOCKETS = "sockets"  # WebSockets at this account


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How a request is repeated; on another account as long as there is one."""

    here: int = 1  # attempts at one account while there are others; 0: no repetition
    waits: bool = False  # repeated on a lone account, after a pause
    costs_budget: bool = False  # the repetition may hit an upstream that is down
    refreshes_token: bool = False  # first once more here, with a new token


@dataclass(frozen=True, slots=True)
class Cooling:
    """Pause `first` seconds at the `threshold`-th failure in a row, then double.

    Faults of the network or of upstream as a whole have small caps, for they hit
    all accounts at once and would otherwise outlast the outage; an account's own
    trouble has large ones.
    """

    threshold: int
    first: float
    cap: float
    # Upstream's Retry-After or reset is the pause; beyond the cap it is a limit.
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class KindRules:
    """One row of the table: all that follows from a failure of one kind."""

    blames: Blame
    retry: RetryRule
    cooling: Cooling | None = None  # of an account that is to blame
    limit_seconds: float = 0.0  # of a used-up window or balance without a reset
    # A fact about the account, which holds inside a stream too.
    holds_in_stream: bool = False
    # The client gets usage_limit_reached with status 429 and never the event that
    # upstream put into a stream: the Codex client takes that for a passing fault.
    is_usage_limit: bool = False


LONGEST_COOLING = 300.0
_NEVER = RetryRule(here=0)
_RETRY_HERE_FIRST = RetryRule(here=2, waits=True, costs_budget=True)
_MOVE_ON = RetryRule(waits=True, costs_budget=True)
_OTHER_ACCOUNT = RetryRule()
_NETWORK = Cooling(threshold=3, first=1.0, cap=10.0)
_UPSTREAM = Cooling(threshold=3, first=2.0, cap=30.0)
_OWN_TROUBLE = Cooling(threshold=1, first=30.0, cap=LONGEST_COOLING)

KINDS: dict[FailureKind, KindRules] = {
    FailureKind.CONNECT: KindRules(Blame.ACCOUNT, _RETRY_HERE_FIRST, _NETWORK),
    FailureKind.CONNECTION_LOST: KindRules(Blame.ACCOUNT, _RETRY_HERE_FIRST, _NETWORK),
    FailureKind.TIMEOUT: KindRules(Blame.ACCOUNT, _MOVE_ON, _NETWORK),
    FailureKind.SERVER_ERROR: KindRules(Blame.ACCOUNT, _RETRY_HERE_FIRST, _UPSTREAM),
    FailureKind.OVERLOADED: KindRules(Blame.ACCOUNT, _MOVE_ON, _UPSTREAM),
    FailureKind.SOCKET_ENDED: KindRules(Blame.NOTHING, RetryRule(here=2)),
    FailureKind.NO_SOCKETS: KindRules(Blame.SOCKETS, _OTHER_ACCOUNT),
    FailureKind.RATE_LIMIT: KindRules(
        Blame.ACCOUNT,
        RetryRule(waits=True),
        Cooling(threshold=1, first=2.0, cap=60.0, is_told=True),
        holds_in_stream=True,
    ),
    FailureKind.USAGE_LIMIT: KindRules(
        Blame.WINDOW,
        _OTHER_ACCOUNT,
        limit_seconds=300.0,  # until the next poll of the usage tells better
        holds_in_stream=True,
        is_usage_limit=True,
    ),
    FailureKind.QUOTA: KindRules(
        Blame.BALANCE, _OTHER_ACCOUNT, limit_seconds=3_600.0, holds_in_stream=True
    ),
    FailureKind.UNAUTHORISED: KindRules(
        Blame.ACCOUNT, RetryRule(refreshes_token=True), _OWN_TROUBLE
    ),
    FailureKind.LOGIN_REQUIRED: KindRules(
        Blame.LOGIN, _OTHER_ACCOUNT, holds_in_stream=True
    ),
    FailureKind.REFUSED: KindRules(Blame.ACCOUNT, _OTHER_ACCOUNT, _OWN_TROUBLE),
    FailureKind.MODEL: KindRules(Blame.MODEL, _OTHER_ACCOUNT),
    FailureKind.PREVIOUS_RESPONSE: KindRules(Blame.REQUEST, _NEVER),
    FailureKind.CLIENT: KindRules(Blame.REQUEST, _NEVER),
    FailureKind.MID_STREAM: KindRules(Blame.NOTHING, _NEVER),
}


class Meaning(NamedTuple):
    """What one code or status says; None: the status's class says it."""

    kind: FailureKind | None
    origin: Origin | None = None


# By `code` or `type` of an error, as upstream and the gateway itself write them.
CODES: dict[str, Meaning] = {
    "account_deactivated": Meaning(FailureKind.LOGIN_REQUIRED, "account"),
    "account_deleted": Meaning(FailureKind.LOGIN_REQUIRED, "account"),
    "account_suspended": Meaning(FailureKind.LOGIN_REQUIRED, "account"),
    "refresh_token_expired": Meaning(FailureKind.LOGIN_REQUIRED, "account"),
    "refresh_token_invalidated": Meaning(FailureKind.LOGIN_REQUIRED, "account"),
    "refresh_token_reused": Meaning(FailureKind.LOGIN_REQUIRED, "account"),
    "no_credentials": Meaning(FailureKind.LOGIN_REQUIRED),
    "authentication_error": Meaning(FailureKind.UNAUTHORISED, "account"),
    "invalid_api_key": Meaning(FailureKind.UNAUTHORISED, "account"),
    "token_expired": Meaning(FailureKind.UNAUTHORISED, "account"),
    "token_invalidated": Meaning(FailureKind.UNAUTHORISED, "account"),
    "token_refresh_failed": Meaning(FailureKind.REFUSED),
    "usage_limit_reached": Meaning(FailureKind.USAGE_LIMIT, "account"),
    "rate_limit_error": Meaning(FailureKind.RATE_LIMIT, "account"),
    "rate_limit_exceeded": Meaning(FailureKind.RATE_LIMIT, "account"),
    "deactivated_workspace": Meaning(FailureKind.QUOTA, "account"),
    "insufficient_quota": Meaning(FailureKind.QUOTA, "account"),
    "quota_exceeded": Meaning(FailureKind.QUOTA, "account"),
    "usage_not_included": Meaning(FailureKind.QUOTA, "account"),
    "model_not_found": Meaning(FailureKind.MODEL),
    "model_not_supported": Meaning(FailureKind.MODEL),
    "previous_response_not_found": Meaning(FailureKind.PREVIOUS_RESPONSE, "client"),
    "websocket_connection_limit_reached": Meaning(FailureKind.SOCKET_ENDED),
    "server_is_overloaded": Meaning(FailureKind.OVERLOADED),
    "slow_down": Meaning(FailureKind.OVERLOADED),
    "internal_server_error": Meaning(FailureKind.SERVER_ERROR),
    "server_error": Meaning(FailureKind.SERVER_ERROR),
    "upstream_error": Meaning(FailureKind.SERVER_ERROR),
    "upstream_protocol_error": Meaning(FailureKind.SERVER_ERROR),
    "stream_incomplete": Meaning(FailureKind.CONNECTION_LOST),
    # The request's own fault, as far as no status says otherwise.
    "context_length_exceeded": Meaning(None, "client"),
    "invalid_encrypted_content": Meaning(None, "client"),
    "invalid_function_parameters": Meaning(None, "client"),
    "invalid_json_schema": Meaning(None, "client"),
    "invalid_prompt": Meaning(None, "client"),
    "invalid_request_error": Meaning(None, "client"),
    "empty_image_file": Meaning(None, "client"),
    "failed_to_download_image": Meaning(None, "client"),
    "image_content_policy_violation": Meaning(None, "client"),
    "image_file_not_found": Meaning(None, "client"),
    "image_file_too_large": Meaning(None, "client"),
    "image_parse_error": Meaning(None, "client"),
    "image_too_large": Meaning(None, "client"),
    "image_too_small": Meaning(None, "client"),
    "invalid_base64_image": Meaning(None, "client"),
    "invalid_image": Meaning(None, "client"),
    "invalid_image_format": Meaning(None, "client"),
    "invalid_image_mode": Meaning(None, "client"),
    "invalid_image_url": Meaning(None, "client"),
    "unsupported_image_media_type": Meaning(None, "client"),
}
# With one of these, which only upstream gives, no token of the login helps any more.
PERMANENT_CODES = frozenset(
    code
    for code, meaning in CODES.items()
    if meaning == (FailureKind.LOGIN_REQUIRED, "account")
)

STATUSES: dict[int, Meaning] = {
    401: Meaning(FailureKind.UNAUTHORISED, "account"),
    402: Meaning(FailureKind.QUOTA, "account"),
    403: Meaning(FailureKind.REFUSED, "account"),  # with a code: CLIENT
    408: Meaning(FailureKind.TIMEOUT),
    429: Meaning(FailureKind.RATE_LIMIT, "account"),
    503: Meaning(FailureKind.OVERLOADED),
    529: Meaning(FailureKind.OVERLOADED),
}
# Of a WebSocket handshake: this upstream has no such endpoint.
NO_SOCKET_STATUSES = frozenset({404, 405, 426})

# Upstream words the refusal of a model in prose, with status 400 and no code.
_MODEL_REFUSED = re.compile(
    r"model\b.{0,120}\bnot (?:supported|available|included)\b"
    r"|not have access to (?:the )?model",
    re.IGNORECASE | re.DOTALL,
)


def kind_of(failure: Failure) -> FailureKind:
    """Codes go before statuses, for a socket's failures may have no status."""
    kind = _kind_by_code(failure)
    is_fact = kind is not None and KINDS[kind].holds_in_stream
    if failure.phase == "stream" and not is_fact:
        return FailureKind.MID_STREAM
    if kind is not None:
        return kind
    if failure.status is None:
        return _kind_without_status(failure)
    return _kind_by_status(failure, failure.status)


def rules_of(failure: Failure) -> KindRules:
    return KINDS[kind_of(failure)]


def origin_of(status: int | None, code: str | None, type: str | None) -> Origin:
    """Whose fault an error of upstream's is."""
    origins = {CODES[word].origin for word in (code, type) if word in CODES}
    if status in STATUSES:
        origins.add(STATUSES[status].origin)
    if "account" in origins:
        return "account"
    if status is not None:
        return "client" if 400 <= status < 500 else "upstream"
    return "client" if "client" in origins else "upstream"


def _kind_by_code(failure: Failure) -> FailureKind | None:
    for word in (failure.code, failure.type):
        if word in CODES and CODES[word].kind is not None:
            return CODES[word].kind
    return None


def _kind_by_status(failure: Failure, status: int) -> FailureKind:
    if failure.phase == "handshake" and status in NO_SOCKET_STATUSES:
        return FailureKind.NO_SOCKETS
    if status == 403 and failure.code is not None:
        return FailureKind.CLIENT
    if status == 400 and _MODEL_REFUSED.search(failure.message):
        return FailureKind.MODEL
    by_class = FailureKind.SERVER_ERROR if status >= 500 else FailureKind.CLIENT
    known = STATUSES.get(status)
    return (known and known.kind) or by_class


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
        return FailureKind.CONNECTION_LOST
    is_nameless = failure.origin == "upstream" and failure.code is None
    return FailureKind.SERVER_ERROR if is_nameless else FailureKind.CLIENT
