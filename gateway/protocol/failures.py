"""What upstream's failures say: HTTP error bodies, error frames, failed responses."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.protocol.facts import NOT_LOGGED, Failure, LoggedError
from gateway.protocol.failure_kind import CODES, origin_of
from gateway.protocol.headers import retry_after, told_limits, told_retry_after
from gateway.protocol.lenient_json import child, dump, load_object, text
from gateway.protocol.limit_windows import full_until, named_limit
from gateway.protocol.numbers import reset_time, seconds

MAX_MESSAGE_CHARS = 300
MAX_BODY_BYTES = 64 * 1024

STRUCK_OUT = "[redacted]"

# Keys and tokens that upstream may quote back: API keys, JWTs, bearer and refresh
# tokens. Tails that upstream has masked with asterisks go too.
_SECRET_SOURCE = (
    r"\bsk-[A-Za-z0-9_*-]{6,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"
    r"|\b[Bb]earer +[A-Za-z0-9._~+/=-]{8,}"
    r"|\brt[_.][A-Za-z0-9._-]{16,}"
)
_SECRET = re.compile(_SECRET_SOURCE)
_SECRET_IN_BYTES = re.compile(_SECRET_SOURCE.encode())
# Whose account it is: e-mail addresses, ids of organisations, ids with a digit of the
# other kinds (codes such as `workspace_member_usage_limit_reached` have none), UUIDs
# but those of requests, and what is named behind such a word.
_IDENTITY = re.compile(
    r"(?<![\w.%+'-])[\w.%+'-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}"
    r"|(?<![\w-])org[-_][A-Za-z0-9][\w-]*"
    r"|(?<![\w-])(?:proj|user|acct?|account|team|workspace|ws)[-_](?=[\w-]*\d)[\w-]{4,}"
    r"|(?<![\w-])(?<![Rr]equest I[Dd] )[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}"
    r"[0-9A-Fa-f]{12}(?![\w-])"
    r"|(?i:(?<=workspace )|(?<=organization )|(?<=organisation )|(?<=account ))"
    r"(?:'[^'\n]{1,100}'|\"[^\"\n]{1,100}\"|(?=[\w-]*\d)[\w-]{4,})"
)
_IDENTITY_WORDS = frozenset(
    {
        *("account", "email", "mail", "org", "organisation", "organization"),
        *("project", "team", "user", "workspace"),
    }
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_TRY_AGAIN = re.compile(
    r"try again in\s{1,8}((?:\d{1,9}(?:\.\d{1,9})?\s{0,4}"
    r"(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)"
    r"[\s,]{0,4}(?:and\s)?){1,6})",
    re.IGNORECASE,
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_UNIT_SECONDS = {
    "ms": 0.001,
    "mi": 60.0,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_TAG = re.compile(r"<[A-Za-z!/?]")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)
_RESET_KEYS = ("resets_at", "resets_in_seconds")


def read_failure(
    status: int, headers: Mapping[str, str], body: bytes, now: float
) -> Failure:
    """The failure an HTTP answer tells of; `now` in unix seconds.

    `body` is kept when it is a JSON object with `error` or `detail`, of at most
    64 KiB: that is what a client may get. Secrets in it are struck out.
    """
    payload = load_object(body) if len(body) <= MAX_BODY_BYTES else {}
    error = _error_in(payload)
    message = text(error.get("message")) or _message_of_page(status, payload, body)
    keeps_body = payload.get("error") is not None or payload.get("detail") is not None
    return _failure(
        error,
        message,
        status=status,
        now=now,
        headers=headers,
        body=_bytes_without_secrets(body) if keeps_body else None,
    )


def event_failure(type: str, data: bytes | str, now: float) -> Failure:
    """The failure in a `response.failed` or `error` event or frame, however formed.

    Its phase is "first_event" until `in_phase` says otherwise. `body` is the error
    in the envelope of an HTTP answer.
    """
    frame = load_object(data)
    error = child(frame.get("response"), "error") or _error_in_frame(frame)
    status = _status_in(frame, error)
    return _failure(
        error,
        text(error.get("message")) or "The upstream response failed",
        status=status,
        now=now,
        headers=_headers_in(frame),
        body=_envelope(error) if error else None,
    ).in_phase("first_event")


def _failure(
    error: dict[str, Any],
    message: str,
    *,
    status: int | None,
    now: float,
    headers: Mapping[str, str],
    body: bytes | None,
) -> Failure:
    code = _short(error.get("code"))
    kind = _short(error.get("type"))
    wait = retry_after(headers, now)
    reset, reset_in = map(error.get, _RESET_KEYS)
    limit = named_limit(headers)
    return Failure(
        phase="headers",
        origin=origin_of(status, code, kind),
        message=_clean(message) or "The upstream service failed",
        status=status,
        code=code,
        type=kind,
        param=_short(error.get("param")),
        plan_type=_short(error.get("plan_type")),
        resets_at=reset_time(reset, reset_in, now) or full_until(headers, limit, now),
        named_limit=limit,
        retry_after=wait if wait is not None else _wait_in(message),
        body=body,
        redacted=uncompared(code, kind),
        told_retry_after=told_retry_after(headers, now),
        limit_headers=told_limits(headers),
    )


def uncompared(code: str | None, type: str | None) -> LoggedError:
    """What may be logged of upstream's words when the request is not at hand."""
    known_code, known_type = (one if one in CODES else None for one in (code, type))
    return LoggedError(known_code, known_type, None, NOT_LOGGED)


def _error_in(payload: dict[str, Any]) -> dict[str, Any]:
    """The object with message and code, in whichever shape it came."""
    for key in ("error", "detail"):
        found = payload.get(key)
        if isinstance(found, dict):
            return found
        if isinstance(found, list) and found and isinstance(found[0], dict):
            return {"message": found[0].get("msg") or found[0].get("message")}
        if isinstance(found, str) and found:
            message = text(payload.get("error_description")) or found
            # OAuth (RFC 6749, 5.2) has the code itself there, others a sentence.
            is_code = key == "error" and " " not in found
            return {"message": message, "code": found if is_code else None}
    return payload


def _error_in_frame(frame: dict[str, Any]) -> dict[str, Any]:
    """The error of a frame, which may spread it over its top level."""
    if frame.get("error") or frame.get("detail"):
        return _error_in(frame)
    return {
        key: frame[key]
        for key in ("message", "code", "param", "plan_type", *_RESET_KEYS)
        if frame.get(key) is not None
    }


def _headers_in(frame: dict[str, Any]) -> dict[str, str]:
    told = child(frame, "headers").items()
    return {k: str(v) for k, v in told if isinstance(v, str | int | float)}


def _status_in(frame: dict[str, Any], error: dict[str, Any]) -> int | None:
    """The status an event tells; some write it where the code belongs."""
    for told in (frame.get("status"), frame.get("status_code"), error.get("code")):
        if isinstance(told, int) and 400 <= told <= 599:
            return told
    return None


def _message_of_page(status: int, payload: dict[str, Any], body: bytes) -> str:
    """What to say when the answer is a page, plain text or nothing."""
    start = body[:4096].decode("utf-8", "replace").rstrip("\ufffd").strip()
    is_text = "\ufffd" not in start and "\0" not in start
    if not start or payload or start[0] in "{[" or not is_text:
        return f"Upstream answered with status {status}"
    title = _TITLE.search(start)
    if title:
        return f"Upstream answered with status {status}: {title[1]}"
    if _TAG.search(start):
        return f"Upstream answered with status {status} and a web page"
    return start


def _wait_in(message: str) -> float | None:
    """Seconds of "try again in 1.5s", "200ms", "1h2m3s", "2 minutes"."""
    found = _TRY_AGAIN.search(message[:2000])
    if found is None:
        return None
    wait = 0.0
    for amount, unit in _DURATION.findall(found[1]):
        name = unit.lower()
        if name.startswith("milli"):
            name = "ms"
        factor = _UNIT_SECONDS.get(name[:2]) or _UNIT_SECONDS.get(name[:1], 0.0)
        wait += float(amount) * factor
    return seconds(wait)


def _short(value: Any) -> str | None:
    """A code or name, bounded; numbers become text."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    found = text(value)
    return None if found is None else _clean(found)[:80] or None


def _clean(message: str) -> str:
    """One bounded line without secrets."""
    # Struck out before the cut, or half a key would be left at the end.
    start = _without_secrets(message[: 8 * MAX_MESSAGE_CHARS])
    line = "".join(c if c.isprintable() else " " for c in " ".join(start.split()))
    return line[:MAX_MESSAGE_CHARS]


def _envelope(error: dict[str, Any]) -> bytes | None:
    body = dump({"error": error})
    if body is None or len(body) > MAX_BODY_BYTES:
        return None
    return _bytes_without_secrets(body)


def _without_secrets(words: str) -> str:
    return _SECRET.sub(STRUCK_OUT, words)


def _bytes_without_secrets(data: bytes) -> bytes:
    return _SECRET_IN_BYTES.sub(STRUCK_OUT.encode(), data)


def without_identity(words: str) -> str:
    """The words without organisations, workspaces, accounts and e-mail addresses."""
    return _IDENTITY.sub(STRUCK_OUT, words)


def as_told(value: Any, *, hides_identity: bool) -> Any:
    """The same JSON value without secrets and, if asked for, without identities.

    Fields that are named after one (`organization`, `workspace_id`, `email`) are left
    out. For values that were written once: deeper ones end in a RecursionError.
    """
    if isinstance(value, str):
        words = _without_secrets(value)
        return without_identity(words) if hides_identity else words
    if isinstance(value, list):
        return [as_told(one, hides_identity=hides_identity) for one in value]
    if isinstance(value, dict):
        return {
            key: as_told(one, hides_identity=hides_identity)
            for key, one in value.items()
            if not (hides_identity and _names_identity(key))
        }
    return value


def told_event(type: str, data: bytes, now: float, *, hides_identity: bool) -> bytes:
    """An event that ends a response with an error, as a client gets it.

    `data` itself when nothing has to be kept from it.
    """
    event = load_object(data)
    if dump(event) is None:  # nested too deeply to be written again
        told = event_failure(type, data, now)
        error = {"code": told.code, "message": told.message}
        event = {"type": type, "response": {"status": "failed", "error": error}}
    response = child(event, "response")
    shown = {key: event[key] for key in event if key not in ("response", "headers")}
    shown = as_told(shown, hides_identity=hides_identity)
    if shown.get("status") == 401:
        shown["status"] = 502  # the account's credentials are meant, not the client's
    if response:
        error = as_told(response.get("error"), hides_identity=hides_identity)
        shown["response"] = {**response, "error": error}
    wait = told_retry_after(given := _headers_in(event), now)
    headers = {} if hides_identity else dict(told_limits(given))
    if headers := headers | ({} if wait is None else {"retry-after": wait}):
        shown["headers"] = headers
    return data if shown == event else dump(shown) or data


def _names_identity(key: str) -> bool:
    words = [word.lower().rstrip("s") for word in _WORD.findall(key)]
    return not _IDENTITY_WORDS.isdisjoint(words) or bool(_IDENTITY.search(key))
