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
    validate,
    validates_schema,
)

from schemas.fields import Flag
from schemas.messages import MessageError, convert_messages
from schemas.responses import text_or_object
from schemas.surfaces import Surface
from schemas.tools import TOOL_POLICIES, rename_tool, tool_type

_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMAT_TYPES = ("text", "json_object", "json_schema")
_FORMAT_FIELDS = ("name", "description", "schema", "strict")
_FUNCTION_FIELDS = ("name", "description", "parameters", "strict")

# Chat parameters that the mapping consumes; whatever else is sent goes along.
_CONSUMED = frozenset(
    {
        "messages",
        "instructions",
        "input",
        "store",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "stream_options",
        "response_format",
        "reasoning_effort",
    }
)


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How the client wants its answer; upstream does not hear of it."""

    stream: bool
    include_usage: bool


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
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise ValidationError("Must be a string or a list of strings.")


def _list(value: Any) -> None:
    if not isinstance(value, list):
        raise ValidationError("Must be a list.")


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

    model = fields.String(required=True, validate=validate.Length(min=1))
    instructions = fields.String(allow_none=True)
    messages = fields.Raw(required=True, validate=_messages)
    tools = _optional(_list)
    tool_choice = _optional(text_or_object)
    n = _optional(_one)
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
            raise ValidationError("At least one message is needed.")
        text = data.get("text")
        if (
            data.get("response_format") is not None
            and isinstance(text, dict)
            and text.get("format") is not None
        ):
            raise ValidationError("Give either response_format or text.format.")


def to_responses_payload(
    request: Mapping[str, Any],
) -> tuple[dict[str, Any], ChatOptions]:
    """The Responses payload for a checked chat request; it shares nested values.

    Raises ValidationError for messages that cannot be converted.
    """
    try:
        items, instructions = convert_messages(
            request["messages"], request.get("instructions")
        )
    except MessageError as error:
        raise ValidationError(str(error), error.field, data=request) from error
    payload = {key: request[key] for key in request if key not in _CONSUMED}
    if instructions is not None:
        payload["instructions"] = instructions
    payload["input"] = items
    _map_tools(payload)
    _map_format(payload, request.get("response_format"))
    effort = request.get("reasoning_effort")
    if effort is not None and payload.get("reasoning") is None:
        payload["reasoning"] = {"effort": effort}
    limit = _first_set(request, "max_completion_tokens", "max_tokens")
    if limit is not None and payload.get("max_output_tokens") is None:
        payload["max_output_tokens"] = limit
    options = request.get("stream_options") or {}
    if options.get("include_obfuscation") is not None:
        payload["stream_options"] = {
            "include_obfuscation": options["include_obfuscation"]
        }
    return payload, ChatOptions(
        stream=request.get("stream") is True,
        include_usage=options.get("include_usage") is True,
    )


def _first_set(request: Mapping[str, Any], *names: str) -> Any:
    values = (request.get(name) for name in names)
    return next((value for value in values if value is not None), None)


def _map_tools(payload: dict[str, Any]) -> None:
    """Functions lose their frame; other tools without a name mean nothing upstream."""
    tools = payload.get("tools")
    if tools is not None:
        flat = [_flat_function(tool) for tool in tools]
        payload["tools"] = [tool for tool in flat if _is_usable(tool)]
    choice = payload.get("tool_choice")
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        kept = {key: choice[key] for key in choice if key != "function"}
        payload["tool_choice"] = kept | {"name": choice["function"].get("name")}


def _flat_function(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return tool
    kept = {key: tool[key] for key in tool if key != "function"}
    named = {key: function[key] for key in _FUNCTION_FIELDS if key in function}
    return kept | named


def _is_usable(tool: Any) -> bool:
    kind = tool_type(rename_tool(tool))
    if kind == "web_search" or kind in TOOL_POLICIES[Surface.CHAT].refused:
        return True  # the refused ones are reported later
    name = tool.get("name") if isinstance(tool, dict) else None
    return isinstance(name, str) and bool(name)


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
