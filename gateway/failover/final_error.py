"""What the client gets when nothing else can be tried: upstream's last answer. Pure.

Status, code and body are upstream's own. What is no JSON error, and what speaks of
the gateway's own login, becomes an error of the gateway's with upstream's words.
"""

from collections.abc import Sequence
from typing import Any

from gateway.errors import (
    GatewayError,
    NoneInService,
    UpstreamAnswer,
    UpstreamUnavailable,
    UsageLimitReached,
)
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import CODES, FailureKind, kind_of, rules_of
from gateway.protocol.failures import as_told, uncompared, without_identity
from gateway.protocol.lenient_json import dump, load_object, text
from gateway.protocol.local_failures import edge_refused
from gateway.settings import PROGRAM

# Of errors that came in an event, which has no status, before anything was sent.
_STATUS_OF_KIND = {
    FailureKind.USAGE_LIMIT: 429,
    FailureKind.RATE_LIMIT: 429,
    FailureKind.QUOTA: 429,
    FailureKind.MODEL: 400,
    FailureKind.PREVIOUS_RESPONSE: 400,
}
_STATUS_OF_EVENT = 502  # where its code says nothing either
_OF_OUR_LOGIN = frozenset({FailureKind.UNAUTHORISED, FailureKind.LOGIN_REQUIRED})


def last_answer(failures: Sequence[Failure]) -> Failure:
    """The failure to tell, of a request's attempts in their order: one at least.

    The last that upstream answered, for no answer says less than any.
    """
    answers = (failure for failure in reversed(failures) if failure.is_answer)
    return next(answers, failures[-1])


def final_error(
    failure: Failure,
    *,
    codex: bool,
    keys_in_use: bool,
    login_convicted: bool = False,
    way_refused: bool = False,
) -> GatewayError:
    """The client's error for a failed attempt.

    `login_convicted`: a judge has found that its account needs a new login.
    `way_refused`: a page answers for upstream, whichever account asks this way.
    """
    words = without_identity(failure.message) if keys_in_use else failure.message
    if _is_of_our_login(failure):
        return _login_error(failure, words, is_convicted=login_convicted)
    if way_refused and failure.status == 403 and failure.body is None:
        return UpstreamUnavailable(edge_refused(failure.phase))
    status = _status(failure)
    if status is None:
        return _logged(UpstreamUnavailable(failure, words), failure)
    body = _told_body(failure, status, codex=codex, keys_in_use=keys_in_use)
    body = body or _envelope(failure, status, words)
    headers = {} if keys_in_use else dict(failure.limit_headers)
    if failure.told_retry_after is not None:
        headers["retry-after"] = failure.told_retry_after
    error = UpstreamAnswer(status, failure.message, body, headers)
    error.phase = failure.phase
    if failure.origin != "client":  # or it would count as a refusal of the gateway's
        error.origin = failure.origin
    return _logged(error, failure)


def ends_sooner(state: GatewayError | None, limit: Failure, now: float) -> bool:
    """Whether the pool's state passes before the usage limit that upstream told."""
    if state is None or limit.resets_at is None:
        return False
    if isinstance(state, UsageLimitReached):
        return state.resets_at is not None and state.resets_at < limit.resets_at - 1
    return state.retry_after is not None and now + state.retry_after < limit.resets_at


def _is_of_our_login(failure: Failure) -> bool:
    """Whether it is about the account's credentials, which the client does not have.

    A client would take a 401 for one about its own; a 403 says what it says.
    """
    if failure.is_answer and failure.status in (401, 403):
        return failure.status == 401
    return kind_of(failure) in _OF_OUR_LOGIN


def _login_error(failure: Failure, words: str, *, is_convicted: bool) -> GatewayError:
    if is_convicted:
        error: GatewayError = NoneInService(
            "login_required",
            "The account requires a new login; its owner runs "
            f"`{PROGRAM} accounts login`. Upstream says: {words}",
        )
        return _logged(error, failure, code=error.code)
    error = UpstreamUnavailable(failure, words)
    if failure.is_answer:
        error.origin = "upstream"
    return _logged(error, failure)


def _logged(
    error: GatewayError, failure: Failure, code: str | None = None
) -> GatewayError:
    """The error with what the log may have of upstream's words."""
    told = failure.logged
    error.redacted = told._replace(code=code or told.code or type(error).code)
    return error


def _status(failure: Failure) -> int | None:
    """The status to tell; None: no answer came."""
    if failure.is_answer and failure.status is not None:
        return failure.status
    by_code = _status_of(failure.code, failure.type)
    return by_code or (_STATUS_OF_EVENT if failure.is_answer else None)


def _told_body(
    failure: Failure, status: int, *, codex: bool, keys_in_use: bool
) -> dict[str, Any] | None:
    """Upstream's own error body, if there is one that can be serialised again.

    Codex reads `detail`; the SDKs show a reason only where `error` is an object.
    """
    value = load_object(failure.body or b"")
    if not value or dump(value) is None:
        return None
    told: dict[str, Any] = as_told(value, hides_identity=keys_in_use)
    error = told.get("error")
    if not isinstance(error, dict):
        return told if codex else None
    if failure.status is None and rules_of(failure).is_usage_limit:
        # Events say it in the code alone; clients of a 429 look at the type.
        error["type"] = "usage_limit_reached"
    elif failure.status is None and not codex and error.get("type") is None:
        error["type"] = _type_of(status)  # events need none, the SDKs' errors do
    return told


def _type_of(status: int) -> str:
    by_class = "server_error" if status >= 500 else "invalid_request_error"
    return {403: "permission_error", 429: "rate_limit_error"}.get(status, by_class)


def _envelope(failure: Failure, status: int, words: str) -> dict[str, Any]:
    """The error for an answer that is none in JSON."""
    default = "upstream_unavailable" if status >= 500 else None
    return {
        "error": {
            "message": words,
            "type": failure.type or _type_of(status),
            "code": failure.code or default,
            "param": failure.param,
            "origin": failure.origin,
            "phase": failure.phase,
        }
    }


def folded_error(error: object) -> UpstreamAnswer:
    """The client's error for a failed response of which nothing has been sent yet."""
    shown = error if isinstance(error, dict) else {}
    code = shown.get("code")
    code = str(code) if isinstance(code, str | int) and code else "upstream_error"
    message = text(shown.get("message")) or "The upstream service failed"
    if dump(shown) is None:
        shown = {}  # nested too deeply to be written
    status = _status_of(code, text(shown.get("type"))) or _STATUS_OF_EVENT
    shown = {"type": _type_of(status), **shown, "code": code, "message": message}
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
