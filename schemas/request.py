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
from schemas.normalize import as_compaction_turn
from schemas.parameters.spellings import CHAT_SPELLINGS, respell
from schemas.parameters.unsupported import without_unsupported
from schemas.reasons import first_problem
from schemas.responses import RESPONSES_SCHEMAS
from schemas.surfaces import Surface

_CHAT_SCHEMA = ChatCompletionsSchema()


class KeyPolicy(NamedTuple):
    """What the client's key imposes on its requests."""

    model: str | None = None
    effort: str | None = None
    tier: str | None = None
    # The key restricts anything: the object that was checked is what must be
    # sent, for in the client's bytes a repeated field could say something else.
    restricted: bool = False

    @property
    def imposes(self) -> bool:
        return bool(self.restricted or self.model or self.effort or self.tier)


_NO_POLICY = KeyPolicy()


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
    _chatgpt_body: bytes = field(repr=False)
    _chatgpt_changes: tuple[str, ...] = field(repr=False)
    _body: bytes | None = field(repr=False)  # None until it is asked for

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
        if chatgpt_account:
            return self._chatgpt_body, self._chatgpt_changes
        if self._body is not None:
            return self._body, self.changes
        return encode(self.payload), self.changes

    def without_items(self, indexes: frozenset[int]) -> "LoadedRequest":
        """The same request without these items of its `input`.

        Unchanged when it is nested too deeply to be written anew.
        """
        try:
            payload = self.payload
            if self._body is not None and has_long_number(self._body):
                # Bytes that were to go as they came: read anew, no integer rounded.
                payload = _as_object(decode_exactly(self._body))
            kept = [
                item
                for index, item in enumerate(payload["input"])
                if index not in indexes
            ]
            payload = {**payload, "input": kept}
            return _loaded(payload, list(self.changes), None, self.asked)
        except ValidationError:
            return self


def load_request(
    raw: bytes | str,
    surface: Surface,
    *,
    compact: bool = False,
    policy: KeyPolicy = _NO_POLICY,
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
        changes += _enforce(payload, policy)
    return _loaded(payload, changes, own, asked)


def load_chat_request(
    raw: bytes, *, policy: KeyPolicy = _NO_POLICY
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
    changes += _enforce(payload, policy)
    return _loaded(payload, changes, None, asked), options


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


def _enforce(payload: dict[str, Any], policy: KeyPolicy) -> list[str]:
    """Put what the key enforces into a valid payload, in place of what it holds."""
    changes, items = [], payload["input"]
    for name, value in (("model", policy.model), ("service_tier", policy.tier)):
        if value and payload.get(name) != value:
            payload[name] = value
            changes.append(f"{name} enforced")
    if policy.effort and _effort(payload) != policy.effort:
        payload["reasoning"] = _with_effort(payload.get("reasoning"), policy.effort)
        changes.append("reasoning.effort enforced")
    if policy.effort and any(_sets_effort(item, policy.effort) for item in items):
        payload["input"] = [
            {**item, "reasoning": _with_effort(item["reasoning"], policy.effort)}
            if _sets_effort(item, policy.effort)
            else item
            for item in items
        ]
        changes.append("configuration_update enforced")
    return changes


def _sets_effort(item: Any, enforced: str) -> bool:
    """Whether an item inside the input sets the effort anew, to another one."""
    if not isinstance(item, dict) or item.get("type") != "configuration_update":
        return False
    reasoning = item.get("reasoning")
    if not isinstance(reasoning, dict):
        return False
    return reasoning.get("effort") not in (None, enforced)


def _with_effort(reasoning: Any, effort: str) -> dict[str, Any]:
    return {**(reasoning or {}), "effort": effort}


def _effort(payload: Mapping[str, Any]) -> str | None:
    effort: str | None = (payload.get("reasoning") or {}).get("effort")
    return effort


def _loaded(
    payload: dict[str, Any],
    changes: list[str],
    own: bytes | None,
    asked: Asked,
) -> LoadedRequest:
    """Everything about a valid payload; `own` are the client's bytes if they can go."""
    sent, made = without_unsupported(payload, asked.surface)
    if asked.compaction:
        sent, more = as_compaction_turn(sent)
        made += more
    body = own
    if made:
        # Encoded on demand; what could make that fail is found out here.
        encode({name: payload[name] for name in payload if name not in sent})
        chatgpt_body = encode(sent)
    else:
        chatgpt_body = body = own if own is not None else encode(payload)
    return LoadedRequest(
        payload=payload,
        changes=tuple(changes),
        model=payload["model"],
        asked=asked,
        previous_response_id=payload.get("previous_response_id"),
        prompt_cache_key=payload.get("prompt_cache_key"),
        service_tier=payload.get("service_tier"),
        reasoning_effort=_effort(payload),
        generate=payload.get("generate") is not False,
        _chatgpt_body=chatgpt_body,
        _chatgpt_changes=(*changes, *made),
        _body=body,
    )
