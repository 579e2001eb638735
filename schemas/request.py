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
from schemas.parameters.unsupported import without_unsupported
from schemas.policy.account_forms import (
    AccountForm,
    KindOfAccount,
    api_key_form,
    chat_problems,
    chatgpt_form,
)
from schemas.policy.key_policy import (
    NO_KEY_POLICY,
    KeyPolicy,
    effort_of,
    enforce_key_policy,
)
from schemas.reasons import Problem, first_problem
from schemas.responses import RESPONSES_SCHEMAS
from schemas.surfaces import Surface

_CHAT_SCHEMA = ChatCompletionsSchema()


class Asked(NamedTuple):
    """What the client asked for, whatever becomes of it."""

    model: str
    stream: bool
    surface: Surface
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
    _chatgpt_body: bytes = field(repr=False)
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
        form = self._forms[_kind(chatgpt_account)]
        changes = (*self.changes, *form.changes)
        if chatgpt_account:
            return self._chatgpt_body, changes
        if self._own is not None and form.payload is self.payload:
            return self._own, changes
        return encode(form.payload), changes

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
    schema = RESPONSES_SCHEMAS[surface, compact]
    document = _as_object(decode(data))
    payload, changes = schema.normalize_and_check(document)
    own = None if changes or policy.imposes else data
    is_rewritten = own is None or compact or without_unsupported(payload, surface)[1]
    if is_rewritten and has_long_number(data):
        document = _as_object(decode_exactly(data))
        payload, changes = schema.normalize_and_check(document)
    asked = Asked(payload["model"], document.get("stream") is True, surface, compact)
    if policy.imposes:
        changes += enforce_key_policy(payload, policy)
    return _loaded(payload, changes, own, asked, {})


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
    schema = RESPONSES_SCHEMAS[Surface.CHAT, False]
    payload, changes = schema.normalize_and_check(to_responses_payload(document))
    dropped = [f"{name} dropped" for name in left_out(document)]
    changes = ["chat completion made a response", *respelt, *dropped, *changes]
    asked = Asked(payload["model"], options.stream, Surface.CHAT)
    changes += enforce_key_policy(payload, policy)
    problems = chat_problems(document)
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
    """Everything about a valid payload; `own` are the client's bytes if they can go."""
    chatgpt = chatgpt_form(payload, asked.surface, compact=asked.compaction)
    if chatgpt.payload is payload:
        chatgpt_body = own = own if own is not None else encode(payload)
    else:
        # Encoded on demand; what could make that fail is found out here.
        encode({name: payload[name] for name in payload if name not in chatgpt.payload})
        chatgpt_body = encode(chatgpt.payload)
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
        _forms={"chatgpt": chatgpt, "api_key": api_key_form(payload, asked.surface)},
        _chatgpt_body=chatgpt_body,
        _problems=problems,
    )
