"""From a client's bytes to a checked request and the bytes that go upstream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from marshmallow import ValidationError

from schemas.body.json import decode, decode_exactly, encode, has_long_number
from schemas.chat import (
    ChatCompletionsSchema,
    ChatOptions,
    chat_options,
    left_out,
    to_responses_payload,
)
from schemas.parameters.spellings import CHAT_SPELLINGS, respell
from schemas.policy.account_forms import (
    AccountForm,
    account_forms,
    bodies_of,
    chat_problems,
    is_changed,
)
from schemas.policy.key_policy import (
    NO_KEY_POLICY,
    KeyPolicy,
    effort_of,
    enforce_key_policy,
)
from schemas.policy.tools import KINDS_OF_ACCOUNT, KindOfAccount, ToolPolicy
from schemas.reasons import Problem, first_problem
from schemas.responses import responses_schema
from schemas.surfaces import Surface

_CHAT_SCHEMA = ChatCompletionsSchema()


class Asked(NamedTuple):
    """What the client asked for, whatever becomes of it."""

    model: str
    stream: bool
    surface: Surface
    tools: ToolPolicy
    compaction: bool = False


@dataclass(slots=True)
class LoadedRequest:
    """A valid request; `payload` and `changes` are those for accounts with a key."""

    payload: dict[str, Any]
    changes: tuple[str, ...]
    model: str
    asked: Asked
    previous_response_id: str | None
    prompt_cache_key: str | None
    service_tier: str | None
    reasoning_effort: str | None
    generate: bool  # False for a frame that only warms the model up
    _own: bytes | None = field(repr=False)  # the client's bytes, where they can go
    _forms: Mapping[KindOfAccount, AccountForm] = field(repr=False)
    _bodies: Mapping[KindOfAccount, bytes] = field(repr=False)  # encoded so far
    # Why it can go to one kind of account only, by the other kind.
    _problems: Mapping[KindOfAccount, Problem] = field(repr=False)

    @property
    def requested_model(self) -> str:
        """Before the key enforced another."""
        return self.asked.model

    @property
    def stream(self) -> bool:
        """What the client asked for, whatever goes upstream."""
        return self.asked.stream

    def body_for(self, *, chatgpt_account: bool) -> tuple[bytes, tuple[str, ...]]:
        """The bytes to send and what was changed: the client's own when nothing was."""
        kind = _kind(chatgpt_account)
        form, body = self._forms[kind], self._bodies.get(kind)
        sent = encode(form.payload) if body is None else body
        return sent, (*self.changes, *form.changes)

    def refusal_by(self, *, chatgpt_account: bool) -> Problem | None:
        """What keeps the request from a kind of account; the other kind takes it."""
        return self._problems.get(_kind(chatgpt_account))

    def without_items(self, indexes: frozenset[int]) -> "LoadedRequest":
        """The same request without these items of its `input`.

        Unchanged when it is nested too deeply to be written anew.
        """
        try:
            payload = self.payload
            if self._own is not None and has_long_number(self._own):
                # Bytes that were to go as they came: read anew, no integer rounded.
                payload = _as_object(decode_exactly(self._own))
            kept = [
                item
                for index, item in enumerate(payload["input"])
                if index not in indexes
            ]
            payload = {**payload, "input": kept}
            return _loaded(
                payload, list(self.changes), None, self.asked, self._problems
            )
        except ValidationError:
            return self


def load_request(
    raw: bytes | str,
    surface: Surface,
    *,
    compact: bool = False,
    policy: KeyPolicy = NO_KEY_POLICY,
) -> LoadedRequest:
    """The request in `raw`, a body or the text of a `response.create` frame.

    Raises ValidationError, of which `first_bad_field` gives the field.
    """
    data = _as_bytes(raw)
    schema = responses_schema(surface, compact, policy.tools)
    document = _as_object(decode(data))
    payload, changes = schema.normalize_and_check(document)
    own = None if changes or policy.imposes else data
    tools = schema.tool_policy
    if has_long_number(data) and (
        own is None or is_changed(payload, surface, tools, compact=compact)
    ):
        document = _as_object(decode_exactly(data))
        payload, changes = schema.normalize_and_check(document)
    stream = document.get("stream") is True
    asked = Asked(payload["model"], stream, surface, tools, compact)
    if policy.imposes:
        changes += enforce_key_policy(payload, policy)
    return _loaded(payload, changes, own, asked, tools.problems(document.get("tools")))


def load_chat_request(
    raw: bytes, *, policy: KeyPolicy = NO_KEY_POLICY
) -> tuple[LoadedRequest, ChatOptions]:
    """A chat completion's request as the Responses request that serves it.

    Raises ValidationError, with the fields named as in the chat request.
    """
    document: Mapping[str, Any] = _as_object(decode(raw))
    if has_long_number(raw):
        document = _as_object(decode_exactly(raw))
    document, respelt = respell(document, CHAT_SPELLINGS)
    _CHAT_SCHEMA.load(document)
    options = chat_options(document)
    schema = responses_schema(Surface.CHAT, False, policy.tools)
    tools = schema.tool_policy
    payload, changes = schema.normalize_and_check(to_responses_payload(document, tools))
    dropped = [f"{name} dropped" for name in left_out(document)]
    changes = ["chat completion made a response", *respelt, *dropped, *changes]
    asked = Asked(payload["model"], options.stream, Surface.CHAT, tools)
    changes += enforce_key_policy(payload, policy)
    problems = {**tools.problems(document.get("tools")), **chat_problems(document)}
    return _loaded(payload, changes, None, asked, problems), options


def first_bad_field(error: ValidationError) -> str | None:
    """The dotted path of the field to name; None when a rule spans the payload."""
    return first_problem(error).param


def _as_bytes(raw: bytes | str) -> bytes:
    if isinstance(raw, bytes):
        return raw
    try:
        return raw.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("Not valid Unicode.") from error


def _as_object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValidationError("The payload must be an object.")
    return document


def _kind(chatgpt_account: bool) -> KindOfAccount:
    return "chatgpt" if chatgpt_account else "api_key"


def _loaded(
    payload: dict[str, Any],
    changes: list[str],
    own: bytes | None,
    asked: Asked,
    problems: Mapping[KindOfAccount, Problem],
) -> LoadedRequest:
    """Everything about a valid payload; `own` are the client's bytes if they can go.

    Raises ValidationError for what no kind of account can take.
    """
    if len(problems) == len(KINDS_OF_ACCOUNT):
        first = next(iter(problems.values()))
        raise ValidationError(first.text, first.path[0], data=payload)
    forms = account_forms(payload, asked.surface, asked.tools, compact=asked.compaction)
    return LoadedRequest(
        payload=payload,
        changes=tuple(changes),
        model=payload["model"],
        asked=asked,
        previous_response_id=payload.get("previous_response_id"),
        prompt_cache_key=payload.get("prompt_cache_key"),
        service_tier=payload.get("service_tier"),
        reasoning_effort=effort_of(payload),
        generate=payload.get("generate") is not False,
        _own=own,
        _forms=forms,
        _bodies=bodies_of(payload, forms, own),
        _problems=problems,
    )
