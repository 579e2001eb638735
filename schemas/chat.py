"""Chat completions requests: what may be in one, and the response it asks for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import (
    INCLUDE,
    Schema,
    ValidationError,
    fields,
    validates_schema,
)

from schemas.chat_tools import has_nameless, map_tools, uses_functions
from schemas.content_parts import MessageError
from schemas.fields import Flag, model_name
from schemas.messages import convert_messages
from schemas.parameters.chat_only import NO_COUNTERPART
from schemas.parameters.spellings import STREAM_OPTION_SPELLINGS, respell
from schemas.policy.account_forms import LOGPROBS_PARAMETERS
from schemas.policy.tools import ToolPolicy
from schemas.responses import text_or_object

_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMAT_TYPES = ("text", "json_object", "json_schema")
_FORMAT_FIELDS = ("name", "description", "schema", "strict")

_TOKEN_LOGPROBS = "message.output_text.logprobs"
# Chat parameters that the mapping consumes, or whose only allowed values are neutral;
# whatever else is sent goes along.
_CONSUMED = frozenset(
    {
        "messages",
        "instructions",
        "input",
        "store",
        "n",
        "stop",
        "modalities",
        "audio",
        "functions",
        "function_call",
        "max_tokens",
        "max_completion_tokens",
        "stream_options",
        "response_format",
        "reasoning_effort",
        "web_search_options",
        *LOGPROBS_PARAMETERS,
        *NO_COUNTERPART,
    }
)


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How the client wants its answer; upstream does not hear of it."""

    stream: bool
    include_usage: bool
    uses_functions: bool = False  # asked and answered as before there were tools


def _number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError("Not a number.")


def _integer(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError("Not an integer.")


def _one(value: Any) -> None:
    if isinstance(value, bool) or value != 1:
        raise ValidationError("Only one choice is available.")


def _stop(value: Any) -> None:
    if value not in ("", []):
        raise ValidationError("Stop sequences are not available.")


def _modalities(value: Any) -> None:
    if value not in ([], ["text"]):
        raise ValidationError("Answers are text only.")


def _audio(value: Any) -> None:
    if value != {}:
        raise ValidationError("Answers are text only.")


def _list(value: Any) -> None:
    if not isinstance(value, list):
        raise ValidationError("Must be a list.")


def _object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError("Must be an object.")


def _functions(value: Any) -> None:
    _list(value)
    for index, function in enumerate(value):
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not name:
            raise ValidationError({index: ["Must be an object with a name."]})


def _messages(value: Any) -> None:
    _list(value)
    for index, message in enumerate(value):
        if not isinstance(message, dict):
            raise ValidationError({index: ["Must be an object."]})


def _response_format(value: Any) -> None:
    kind = value.get("type") if isinstance(value, dict) else value
    if kind not in _FORMAT_TYPES or (kind == "json_schema" and kind is value):
        raise ValidationError("Not a response format.")
    if kind != "json_schema":
        return
    described = value.get("json_schema")
    if not isinstance(described, dict):
        raise ValidationError({"json_schema": ["Must be an object."]})
    name = described.get("name")
    if name is not None and not (
        isinstance(name, str) and _FORMAT_NAME.fullmatch(name)
    ):
        raise ValidationError({"json_schema": {"name": ["Not a valid name."]}})


def _optional(check: Any) -> fields.Raw:
    return fields.Raw(allow_none=True, validate=check)


class StreamOptionsSchema(Schema):
    class Meta:
        unknown = INCLUDE

    include_usage = Flag(allow_none=True)
    include_obfuscation = Flag(allow_none=True)


class ChatCompletionsSchema(Schema):
    """Field types of a chat completions request; the messages are read in mapping."""

    class Meta:
        unknown = INCLUDE

    model = model_name()
    instructions = fields.String(allow_none=True)
    messages = fields.Raw(required=True, validate=_messages)
    tools = _optional(_list)
    web_search_options = _optional(_object)
    tool_choice = _optional(text_or_object)
    functions = _optional(_functions)
    function_call = _optional(text_or_object)
    n = _optional(_one)
    modalities = _optional(_modalities)
    audio = _optional(_audio)
    stream = Flag(allow_none=True)
    stream_options = fields.Nested(StreamOptionsSchema, allow_none=True)
    response_format = _optional(_response_format)
    reasoning_effort = fields.String(allow_none=True)
    max_tokens = _optional(_integer)
    max_completion_tokens = _optional(_integer)
    temperature = _optional(_number)
    top_p = _optional(_number)
    frequency_penalty = _optional(_number)
    presence_penalty = _optional(_number)
    seed = _optional(_integer)
    logprobs = Flag(allow_none=True)
    top_logprobs = _optional(_integer)
    stop = _optional(_stop)

    @validates_schema
    def check_conversation(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if not data["messages"]:
            raise ValidationError("May not be empty.", "messages")
        if data.get("tools") and uses_functions(data):
            raise ValidationError("Cannot stand beside tools.", "functions")
        text = data.get("text")
        if (
            data.get("response_format") is not None
            and isinstance(text, dict)
            and text.get("format") is not None
        ):
            raise ValidationError("Cannot stand beside text.format.", "response_format")


def to_responses_payload(
    request: Mapping[str, Any], policy: ToolPolicy
) -> dict[str, Any]:
    """The Responses payload for a checked chat request; it shares nested values.

    Raises ValidationError for messages that cannot be converted.
    """
    payload = {key: request[key] for key in request if key not in _CONSUMED}
    map_tools(request, payload, policy)
    _map_format(payload, request.get("response_format"))
    _map_messages(request, payload)
    _map_logprobs(payload, request)
    effort = request.get("reasoning_effort")
    if effort is not None and payload.get("reasoning") is None:
        payload["reasoning"] = {"effort": effort}
    limit = _first_set(request, "max_completion_tokens", "max_tokens")
    if limit is not None and payload.get("max_output_tokens") is None:
        payload["max_output_tokens"] = limit
    obfuscation = _stream_options(request).get("include_obfuscation")
    if obfuscation is not None:
        payload["stream_options"] = {"include_obfuscation": obfuscation}
    return payload


def chat_options(request: Mapping[str, Any]) -> ChatOptions:
    """How the sender of a checked chat request wants its answer."""
    return ChatOptions(
        stream=request.get("stream") is True,
        include_usage=_stream_options(request).get("include_usage") is True,
        uses_functions=uses_functions(request),
    )


def left_out(request: Mapping[str, Any]) -> list[str]:
    """What of a chat request no account gets."""
    names = ["tools without a name"] if has_nameless(request.get("tools")) else []
    return ["store", *names] if request.get("store") is True else names


def _stream_options(request: Mapping[str, Any]) -> Mapping[str, Any]:
    options, _ = respell(request.get("stream_options") or {}, STREAM_OPTION_SPELLINGS)
    return options


def _map_messages(request: Mapping[str, Any], payload: dict[str, Any]) -> None:
    try:
        items, instructions = convert_messages(
            request["messages"], request.get("instructions"), text=payload.get("text")
        )
    except MessageError as error:
        raise ValidationError(str(error), "messages", data=request) from error
    if instructions is not None:
        payload["instructions"] = instructions
    payload["input"] = items


def _map_logprobs(payload: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Either parameter asks for them; false and 0 do not."""
    top = request.get("top_logprobs")
    if not (request.get("logprobs") or top):
        return
    included = payload.get("include")
    if included is None or isinstance(included, list):
        payload["include"] = [*(included or ()), _TOKEN_LOGPROBS]
    if top:
        payload["top_logprobs"] = top


def _first_set(request: Mapping[str, Any], *names: str) -> Any:
    values = (request.get(name) for name in names)
    return next((value for value in values if value is not None), None)


def _map_format(payload: dict[str, Any], wanted: Any) -> None:
    if wanted is None:
        return
    kind = wanted["type"] if isinstance(wanted, dict) else wanted
    described = wanted.get("json_schema") if isinstance(wanted, dict) else None
    mapped = {"type": kind}
    if kind == "json_schema" and described is not None:
        mapped |= {
            key: described[key]
            for key in _FORMAT_FIELDS
            if described.get(key) is not None
        }
    text = payload.get("text")
    if text is None or isinstance(text, dict):
        payload["text"] = {**(text or {}), "format": mapped}
