"""From a client's bytes to a checked request and the bytes that go upstream."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.body.json import decode, decode_exactly, has_long_number
from schemas.chat import (
    ChatCompletionsSchema,
    ChatOptions,
    chat_options,
    left_out,
    to_responses_payload,
)
from schemas.loaded_request import Asked, LoadedRequest, finish_loading
from schemas.parameters.chat_only import without_counterpart
from schemas.parameters.spellings import CHAT_SPELLINGS, respell
from schemas.policy.account_forms import (
    chat_problems,
    is_changed,
    reference_problems,
    truncation_problems,
)
from schemas.policy.key_policy import (
    NO_KEY_POLICY,
    KeyPolicy,
    drop_login,
    enforce_key_policy,
    resolve_alias,
)
from schemas.reasons import first_problem
from schemas.responses import ResponsesSchema, responses_schema
from schemas.surfaces import Surface

_CHAT_SCHEMA = ChatCompletionsSchema()


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
    payload, changes = _normalized(document, schema, policy)
    own = None if changes or policy.imposes else data
    tools = schema.tool_policy
    if has_long_number(data) and (
        own is None or is_changed(payload, surface, tools, compact=compact)
    ):
        document = _as_object(decode_exactly(data))
        payload, changes = _normalized(document, schema, policy)
    model, stream = document["model"], document.get("stream") is True
    by_alias = policy.renames(model)
    asked = Asked(model, stream, surface, tools, by_alias, compact)
    if policy.imposes:
        changes += enforce_key_policy(payload, policy)
    problems = {
        **truncation_problems(document),
        **reference_problems(document, surface),
        **tools.problems(document.get("tools")),
    }
    return finish_loading(payload, changes, own, asked, problems)


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
    mapped = to_responses_payload(document, tools)
    payload, changes = _normalized(mapped, schema, policy)
    dropped = [f"{name} dropped" for name in left_out(document)]
    changes = ["chat completion made a response", *respelt, *dropped, *changes]
    model, by_alias = document["model"], policy.renames(document["model"])
    asked = Asked(
        model,
        options.stream,
        Surface.CHAT,
        tools,
        by_alias,
        chat_only=without_counterpart(document),
    )
    changes += enforce_key_policy(payload, policy)
    problems = {
        **truncation_problems(document),
        **tools.problems(document.get("tools")),
        **chat_problems(document),
    }
    return finish_loading(payload, changes, None, asked, problems), options


def _normalized(
    document: dict[str, Any], schema: ResponsesSchema, policy: KeyPolicy
) -> tuple[dict[str, Any], list[str]]:
    """The checked payload, and what was changed about the document."""
    resolved, made = resolve_alias(document, policy)
    own, dropped = drop_login(resolved, policy)
    payload, changes = schema.normalize_and_check(own)
    return payload, [*made, *dropped, *changes]


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
