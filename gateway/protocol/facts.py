"""What the wire tells us, as plain values: usage, windows, failures, identifiers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, get_args

Origin = Literal["client", "gateway", "account", "upstream", "network"]
Phase = Literal["connect", "handshake", "headers", "first_event", "stream"]
WindowName = Literal["primary", "secondary"]
WINDOW_NAMES: tuple[WindowName, ...] = get_args(WindowName)


_ERROR_STATUSES = range(400, 600)


class Usage(NamedTuple):
    """Tokens of one response. `input_tokens` includes the cached ones."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class Window(NamedTuple):
    """One rate-limit window of an account, as upstream last told it.

    Its length says what it is: the place that its name tells of may have any. One of
    a limit of some models only has that limit's id before its place.
    """

    name: str  # `primary`, or `codex_x primary`
    used_percent: float
    window_minutes: int | None
    resets_at: float | None  # unix seconds
    limit: str | None = None  # what upstream calls a limit of some models only


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models an account has; `entries` as upstream sent them."""

    models: frozenset[str]
    entries: tuple[dict[str, Any], ...] = ()
    digests: tuple[bytes, ...] = ()  # one for each entry
    etag: str | None = None
    fetched_at: float = 0.0


LONGEST_LOGGED = 200  # characters of an error's message
# In place of upstream's words where the request they may quote is not at hand.
NOT_LOGGED = "Upstream's words about the failure are not logged"


class LoggedError(NamedTuple):
    """What the log may have of an error: no words of its request."""

    code: str | None
    type: str | None
    param: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one attempt at one account did not become a response.

    `status` is the HTTP status, or that of an error frame; None when no answer
    came. `body` holds upstream's own bytes where the client may get them, and so do
    `told_retry_after` and `limit_headers` of its headers: see `protocol.headers`.
    `redacted` is what of upstream's words may be logged; None where they are our own.
    """

    phase: Phase
    origin: Origin
    message: str
    status: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    plan_type: str | None = None
    resets_at: float | None = None  # unix seconds
    retry_after: float | None = None  # seconds, from wherever it was told
    body: bytes | None = None
    redacted: LoggedError | None = None
    told_retry_after: str | None = None
    limit_headers: tuple[tuple[str, str], ...] = ()
    named_limit: str | None = None  # a limit of some models only, `codex_X`

    @property
    def logged(self) -> LoggedError:
        """What the log may have of it."""
        own = LoggedError(self.code, self.type, self.param, self.message)
        return self.redacted or own

    @property
    def is_answer(self) -> bool:
        """Whether upstream itself answered the request, with an error."""
        if self.status is None:
            return self.body is not None
        return self.status in _ERROR_STATUSES and self.phase != "connect"

    def in_phase(self, phase: Phase) -> "Failure":
        return replace(self, phase=phase)


# Characters of an identifier whose key is kept.
_LONGEST_KEPT = 128

Keys = tuple[tuple[str, str], ...]  # (kind, scoped key), strongest first


class Affinity(NamedTuple):
    """The identifiers one request carries."""

    previous_response_id: str | None = None
    turn_state: str | None = None
    session_id: str | None = None
    thread_id: str | None = None
    prompt_cache_key: str | None = None

    @classmethod
    def from_request(
        cls,
        headers: Mapping[str, str],
        previous_response_id: str | None = None,
        prompt_cache_key: str | None = None,
    ) -> "Affinity":
        """`headers` has lower-case names, or does not mind the case."""
        return cls(
            previous_response_id=previous_response_id or None,
            turn_state=headers.get("x-codex-turn-state") or None,
            session_id=headers.get("session-id") or headers.get("session_id") or None,
            thread_id=headers.get("thread-id") or headers.get("thread_id") or None,
            prompt_cache_key=prompt_cache_key or None,
        )

    def conversation_keys(self, key_id: int | None) -> Keys:
        """The scoped identifiers that name the conversation."""
        named = (
            ("session", self.session_id),
            ("thread", self.thread_id),
            ("cache", self.prompt_cache_key),
        )
        return tuple(
            [(kind, scoped(key_id, kind, value)) for kind, value in named if value]
        )


def scoped(key_id: int | None, kind: str, value: str) -> str:
    """The key of one identifier: at most 48 characters, whatever the client sent."""
    make = _kept if len(value) <= _LONGEST_KEPT else _scoped
    return make(key_id, kind, value)


def _scoped(key_id: int | None, kind: str, value: str) -> str:
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16)
    return f"{key_id or 0}:{kind}:{digest.hexdigest()}"


# A turn asks for its response's key twice, and each of a conversation's for the same.
_kept = lru_cache(maxsize=1_024)(_scoped)
