"""The table of failures: what each code, type and status means, and what follows.

`CODES` and `STATUSES` give a failure its kind and say whose fault it is. `KINDS` has
one row for each kind: what it blames, and where the request is tried again. Every part
of the gateway that judges a failure reads these rows and holds no rule of its own.

What a client's request draws is a suspicion only, unless upstream's code `convicts`:
see `accounts/suspicion.py` and `accounts/verdicts.py`.
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
    REFUSED = "refused"  # by a 403: of the account, or of what is asked
    EDGE_REFUSED = "edge_refused"  # by a page that stands before upstream
    MODEL = "model"  # not part of this account's plan
    MODEL_LIMIT = "model_limit"  # a limit of one model is used up
    PREVIOUS_RESPONSE = "anchor"  # previous_response_id is unknown
    CLIENT = "client"  # the request itself is at fault
    MID_STREAM = "cut"  # inside a stream that the client already sees


class Blame(StrEnum):
    """What a failure speaks against: the smallest scope that the evidence names."""

    NOTHING = "nothing"
    REQUEST = "request"  # not even noted as the account's last error
    ACCOUNT = "account"
    WINDOW = "window"  # a window of the account is used up until its reset
    BALANCE = "balance"  # the account's plan or balance is used up
    LOGIN = "login"  # the account's token, or its login
    MODEL = "model"  # this model at this account
    SOCKETS = "sockets"  # WebSockets of a base URL
    EDGE = "edge"  # the way to a base URL
    UPSTREAM = "upstream"  # a base URL
    CAPACITY = "capacity"  # one model at a base URL


class Tries(StrEnum):
    """Where a request that failed goes on."""

    NOWHERE = "nowhere"
    HERE = "here"  # once more; then as EACH
    EACH = "each"  # every other account that may differ, each once
    ONCE = "once"  # once more here, then at one other; costs budget


@dataclass(frozen=True, slots=True)
class KindRules:
    """One row of the table: all that follows from a failure of one kind."""

    blames: Blame
    tries: Tries
    waits: bool = False  # where it is a short limit: waited out, then tried again
    asks_judge_first: bool = False  # the token may be old: then once more here
    limit_seconds: float = 0.0  # of a used-up window or balance without a reset
    # A fact about the account, which holds inside a stream too.
    holds_in_stream: bool = False
    # The client gets usage_limit_reached with status 429 and never the event that
    # upstream put into a stream: the Codex client takes that for a passing fault.
    is_usage_limit: bool = False


KINDS: dict[FailureKind, KindRules] = {
    FailureKind.CONNECT: KindRules(Blame.UPSTREAM, Tries.ONCE),
    FailureKind.CONNECTION_LOST: KindRules(Blame.UPSTREAM, Tries.ONCE),
    FailureKind.TIMEOUT: KindRules(Blame.UPSTREAM, Tries.ONCE),
    FailureKind.SERVER_ERROR: KindRules(Blame.UPSTREAM, Tries.ONCE),
    FailureKind.OVERLOADED: KindRules(Blame.CAPACITY, Tries.ONCE),
    FailureKind.SOCKET_ENDED: KindRules(Blame.NOTHING, Tries.HERE),
    FailureKind.NO_SOCKETS: KindRules(Blame.SOCKETS, Tries.EACH),
    FailureKind.RATE_LIMIT: KindRules(
        Blame.ACCOUNT, Tries.EACH, waits=True, holds_in_stream=True
    ),
    FailureKind.USAGE_LIMIT: KindRules(
        Blame.WINDOW,
        Tries.EACH,
        waits=True,
        limit_seconds=300.0,  # until the next poll of the usage tells better
        holds_in_stream=True,
        is_usage_limit=True,
    ),
    FailureKind.QUOTA: KindRules(
        Blame.BALANCE, Tries.EACH, limit_seconds=600.0, holds_in_stream=True
    ),
    FailureKind.UNAUTHORISED: KindRules(Blame.LOGIN, Tries.EACH, asks_judge_first=True),
    FailureKind.LOGIN_REQUIRED: KindRules(
        Blame.LOGIN, Tries.EACH, holds_in_stream=True
    ),
    FailureKind.REFUSED: KindRules(Blame.ACCOUNT, Tries.ONCE),
    FailureKind.EDGE_REFUSED: KindRules(Blame.EDGE, Tries.ONCE),
    FailureKind.MODEL: KindRules(Blame.MODEL, Tries.EACH),
    FailureKind.MODEL_LIMIT: KindRules(
        Blame.MODEL, Tries.EACH, waits=True, holds_in_stream=True, is_usage_limit=True
    ),
    FailureKind.PREVIOUS_RESPONSE: KindRules(Blame.REQUEST, Tries.NOWHERE),
    FailureKind.CLIENT: KindRules(Blame.REQUEST, Tries.NOWHERE),
    FailureKind.MID_STREAM: KindRules(Blame.NOTHING, Tries.NOWHERE),
}


class Meaning(NamedTuple):
    """What one code or status says; None: the status's class says it."""

    kind: FailureKind | None
    origin: Origin | None = None


# The request's own fault, as far as no status says otherwise.
_OWN_FAULTS = (
    *("context_length_exceeded", "invalid_encrypted_content"),
    *("invalid_function_parameters", "invalid_json_schema", "invalid_prompt"),
    *("invalid_request_error", "bio_policy", "cyber_policy"),
    *("misalignment_policy_violation", "empty_image_file"),
    *("failed_to_download_image", "image_content_policy_violation"),
    *("image_file_not_found", "image_file_too_large", "image_parse_error"),
    *("image_too_large", "image_too_small", "invalid_base64_image"),
    *("invalid_image", "invalid_image_format", "invalid_image_mode"),
    *("invalid_image_url", "unsupported_image_media_type"),
)

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
    "organization_spend_limit_exceeded": Meaning(FailureKind.QUOTA, "account"),
    "organization_usage_limit_exceeded": Meaning(FailureKind.QUOTA, "account"),
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
    **dict.fromkeys(_OWN_FAULTS, Meaning(None, "client")),
}
# With one of these, which only upstream gives, no token of the login helps any more.
PERMANENT_CODES = frozenset(
    code
    for code, meaning in CODES.items()
    if meaning == (FailureKind.LOGIN_REQUIRED, "account")
)

# Set by upstream itself, whatever a client writes; of a limit with its reset only.
CONVICTING_CODES = frozenset(
    {
        "usage_limit_reached",
        "account_deactivated",
        "account_deleted",
        "account_suspended",
        "deactivated_workspace",
        "insufficient_quota",
    }
)
_MODEL_CODES = frozenset({"model_not_found", "model_not_supported"})

STATUSES: dict[int, Meaning] = {
    401: Meaning(FailureKind.UNAUTHORISED, "account"),
    402: Meaning(FailureKind.QUOTA, "account"),
    403: Meaning(FailureKind.REFUSED, "account"),  # a page: EDGE_REFUSED
    408: Meaning(FailureKind.TIMEOUT),
    429: Meaning(FailureKind.RATE_LIMIT, "account"),
    503: Meaning(FailureKind.OVERLOADED),
    529: Meaning(FailureKind.RATE_LIMIT),
}
# Of a WebSocket handshake: this upstream has no such endpoint.
NO_SOCKET_STATUSES = frozenset({404, 405, 426})

# Upstream words the refusal of a model in prose, with status 400 and no code. The whole
# message: a part of one may be the client's own text, quoted.
_MODEL_REFUSED = re.compile(
    r"The '[^']{1,100}' model is not supported when using Codex"
    r"(?: with a ChatGPT account)?\.?"
    r"|The model [`'][^`']{1,100}[`'] does not exist or you do not have access to it\.?"
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


def convicts(failure: Failure) -> bool:
    """Whether a failure holds for all clients, and not only for the one that met it."""
    words = {failure.code, failure.type}
    if words & _MODEL_CODES:
        return failure.param in (None, "model")
    if rules_of(failure).is_usage_limit:
        return bool(words & CONVICTING_CODES) and failure.resets_at is not None
    return bool(words & CONVICTING_CODES)


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
            kind = CODES[word].kind
            is_usage_limit = kind is FailureKind.USAGE_LIMIT
            of_models = is_usage_limit and failure.named_limit is not None
            return FailureKind.MODEL_LIMIT if of_models else kind
    return None


def _kind_by_status(failure: Failure, status: int) -> FailureKind:
    if failure.phase == "handshake" and status in NO_SOCKET_STATUSES:
        return FailureKind.NO_SOCKETS
    if status == 403 and failure.body is None:
        return FailureKind.EDGE_REFUSED
    is_prose = status == 400 and failure.code is None and failure.param is None
    if is_prose and _MODEL_REFUSED.fullmatch(failure.message):
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
    if failure.phase == "connect":
        return FailureKind.CONNECT
    if failure.origin == "network":
        return FailureKind.CONNECTION_LOST
    is_nameless = failure.origin == "upstream" and failure.code is None
    return FailureKind.SERVER_ERROR if is_nameless else FailureKind.CLIENT
