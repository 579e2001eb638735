"""Which headers pass, in both directions, and what upstream's headers tell.

Both directions are allow-lists: a header nobody thought of stays where it is.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.protocol.lenient_json import child, dump, load_object, text
from gateway.protocol.numbers import (
    number,
    retry_time,
    seconds,
    unix_time,
)

_TO_UPSTREAM = frozenset(
    {
        "accept",
        "content-type",
        "user-agent",
        "originator",
        "version",
        "openai-beta",
        "session-id",
        "session_id",
        "thread-id",
        "thread_id",
        "conversation_id",
        "x-client-request-id",
        "traceparent",
        "tracestate",
    }
)
_PREFIXES_TO_UPSTREAM = ("x-codex-", "x-openai-", "x-oai-", "x-responsesapi-")
# What a client's login is worth, to upstream: sent with another account's, it is a
# forgery at best. docs/rules.md names them too.
BOUND_TO_LOGIN = frozenset(
    {
        "x-openai-actor-authorization",
        "x-openai-agent-assertion",
        "x-oai-attestation",
        "x-openai-internal-codex-residency",
        "x-openai-fedramp",
    }
)
# Of the same families, known to say nothing of the login, whatever they hold.
FREE_OF_LOGIN = frozenset(
    {
        "x-openai-subagent",
        "x-openai-internal-codex-responses-lite",
        "x-openai-memgen-request",
        "x-openai-product-sku",
    }
)
_LOGIN_FAMILIES = ("x-openai-", "x-oai-")
LONGEST_UNKNOWN_VALUE = 200
_HEADER_IN_METADATA = "ws_request_header_"
# A scheme and its token, or a JWT: its first part is base64url of JSON's "{" and a
# quote or white space (RFC 7515, 7.1; the second part of a detached one is empty).
_CREDENTIAL = re.compile(
    r"\b[Bb][Ee][Aa][Rr][Ee][Rr]\b"
    r"|(?<![\w-])e(?:yJ|yA|wo|w0|wk)[\w-]+\.[\w-]*\.[\w-]*"
)
_TO_CLIENT = frozenset(
    {
        "content-type",
        "retry-after",
        "x-codex-turn-state",
        # Without it the client estimates encrypted reasoning, and compacts too early.
        "x-reasoning-included",
        "openai-processing-ms",
    }
)
# The account's windows and credits, those of one of its limits by that one's name
# (`x-codex-X-primary-used-percent`), and what upstream says about them.
_OF_WINDOWS = re.compile(
    r"x-codex-(?:"
    r"(?:[a-z0-9_-]+-)?(?:(?:primary|secondary|credits)-[a-z0-9_-]+|limit-name)"
    r"|active-limit|promo-message|rate-limit-reached-type)"
)
# The client takes a model name that differs from the one it asked for as a sign
# that its account was flagged, and says so to its user.
_MODEL_NAMES = frozenset({"openai-model", "x-openai-model"})
_OF_ACCOUNT = frozenset({"openai-organization", "openai-project"})
_NEVER_IN_EVENTS = frozenset({"set-cookie", "set-cookie2", "x-models-etag"})
LONGEST_TOLD_WAIT = 300.0
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
# RFC 9110, 5.6.2 and 5.5: what else a name or value holds did not come by HTTP.
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def request_headers(client: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The client's headers that go upstream, in lower case.

    Repeated ones are joined (RFC 9110, 5.3); those that Connection names belong to
    the connection and are dropped, as are those bound to the client's own login.
    """
    passed: dict[str, str] = {}
    of_connection: set[str] = set()
    for given_name, value in client:
        name = given_name.lower()
        if name in _TO_UPSTREAM or (
            name.startswith(_PREFIXES_TO_UPSTREAM) and _NAME.fullmatch(name)
        ):
            _add(passed, name, value)
        elif name == "connection":
            of_connection.update(part.strip().lower() for part in value.split(","))
    for name in of_connection:
        passed.pop(name, None)
    return {
        name: value
        for name, value in passed.items()
        if not (name.startswith(_LOGIN_FAMILIES) and _is_of_login(name, value))
    }


def _is_of_login(name: str, value: str) -> bool:
    """Whether a header speaks for the client's login; unknown ones by their value."""
    if not name.startswith(_LOGIN_FAMILIES) or name in FREE_OF_LOGIN:
        return False
    return (
        name in BOUND_TO_LOGIN
        or len(value) > LONGEST_UNKNOWN_VALUE
        or _CREDENTIAL.search(value) is not None
    )


def is_from_codex(headers: Mapping[str, str]) -> bool:
    """Whether Codex sends them, by what it says of itself; names in lower case."""
    said = (headers.get("originator", ""), headers.get("user-agent", ""))
    return any(text.lower().startswith("codex") for text in said) or any(
        name.startswith("x-codex-") for name in headers
    )


def is_metadata_of_login(name: str, value: object) -> bool:
    """The same of an entry of `client_metadata`, in which frames carry headers."""
    header = name.lower().removeprefix(_HEADER_IN_METADATA).replace("_", "-")
    return _is_of_login(header, str(value))


def response_headers(
    upstream: Iterable[tuple[str, str]],
    *,
    requested_model: str | None,
    keys_in_use: bool,
) -> dict[str, str]:
    """Upstream's headers that the client gets, in lower case.

    The account's windows are not for the holder of a key.
    """
    passed: dict[str, str] = {}
    for given_name, value in upstream:
        name = given_name.lower()
        if (
            name in _TO_CLIENT
            or (name == "openai-model" and value.strip() == requested_model)
            or (not keys_in_use and _OF_WINDOWS.fullmatch(name))
        ):
            _add(passed, name, value)
    return passed


def _add(passed: dict[str, str], name: str, value: str) -> None:
    """Add a header whose name is known to be one."""
    if not _VALUE.fullmatch(value):
        return
    value = value.strip()
    passed[name] = f"{passed[name]}, {value}" if name in passed else value


def model_in_metadata(headers: Mapping[str, str]) -> str | None:
    """The model a client means to ask for: before its first frame, Codex's alone."""
    metadata = load_object(headers.get("x-codex-turn-metadata", ""))
    return text(metadata.get("model"))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by Retry-After (a number or a date) or Retry-After-Ms."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return seconds(milliseconds / 1000)
    return retry_time(lower.get("retry-after"), now)


def told_retry_after(headers: Mapping[str, str], now: float) -> str | None:
    """Upstream's own Retry-After, where a client may get it: a whole number or a date.

    Of at most 300 s: with a longer one a client would seem to hang.
    """
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
    value = value.strip()
    is_date = value[:1].isalpha() and value.isascii()
    if not (is_date or _WHOLE_NUMBER.fullmatch(value)):
        return None
    at = unix_time(value) if is_date else now + float(value)
    return value if at is not None and 0 <= at - now <= LONGEST_TOLD_WAIT else None


def told_limits(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What an answer's headers say of its account's limits, names in lower case."""
    found: dict[str, str] = {}
    for given_name, value in headers.items():
        name = given_name.lower()
        if _OF_WINDOWS.fullmatch(name):
            _add(found, name, value)
    return tuple(found.items())


def filter_event(
    event_type: str,
    data: bytes,
    *,
    requested_model: str | None,
    keys_in_use: bool,
) -> bytes | None:
    """The event's data as the client gets it: the same object when nothing changes.

    None drops the event. Only `response.metadata`, which carries headers, and
    `codex.rate_limits` are ever changed.
    """
    if event_type == "codex.rate_limits":
        return None if keys_in_use else data
    if event_type != "response.metadata":
        return data
    event = load_object(data)
    is_changed = False
    for holder in (event, child(event, "response")):
        headers = child(holder, "headers")
        kept = {
            name: value
            for name, value in headers.items()
            if _passes_in_event(name.lower(), value, requested_model, keys_in_use)
        }
        if len(kept) != len(headers):
            holder["headers"] = kept
            is_changed = True
    if not is_changed:
        return data
    return dump(event)


def _passes_in_event(
    name: str, value: Any, requested_model: str | None, keys_in_use: bool
) -> bool:
    if name in _NEVER_IN_EVENTS:
        return False
    if name in _MODEL_NAMES:
        values = value if isinstance(value, list) else [value]
        return requested_model is not None and all(v == requested_model for v in values)
    return not (keys_in_use and (name in _OF_ACCOUNT or _OF_WINDOWS.fullmatch(name)))
