"""ResponsesSchema: validates Responses and compact requests, on every surface."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from marshmallow import (
    INCLUDE,
    Schema,
    ValidationError,
    fields,
    pre_load,
    validate,
    validates_schema,
)

from schemas.content_parts import MessageError
from schemas.field_checks import FieldChecks
from schemas.fields import Flag, model_name
from schemas.items import carries_base_instructions, item_problem
from schemas.messages import convert_messages
from schemas.normalize import normalize_responses_request_payload
from schemas.policy.tools import TypeRule, tool_policy
from schemas.surfaces import Surface

# What `include` may name (platform.openai.com, Responses API, 2026).
INCLUDABLE = frozenset(
    {
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)


def _text() -> fields.String:
    return fields.String(allow_none=True)


def _check_input(value: Any) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise ValidationError("Must be a string or a list.")
    problem = item_problem(value)
    if problem is not None:
        raise ValidationError(problem)


def _check_include(value: Any) -> None:
    if not isinstance(value, list):
        raise ValidationError("Must be a list.")
    for index, name in enumerate(value):
        if not isinstance(name, str) or name not in INCLUDABLE:
            raise ValidationError(f"include[{index}] is nothing that can be included")


def text_or_object(value: Any) -> None:
    if not isinstance(value, str | dict):
        raise ValidationError("Must be a string or an object.")


def _is_filled(value: Any) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


class ReasoningSchema(Schema):
    class Meta:
        unknown = INCLUDE

    effort = _text()
    summary = _text()


class TextFormatSchema(Schema):
    class Meta:
        unknown = INCLUDE

    type = _text()
    name = _text()
    strict = Flag(allow_none=True)


class TextSchema(Schema):
    class Meta:
        unknown = INCLUDE

    verbosity = _text()
    format = fields.Nested(TextFormatSchema, allow_none=True)


class ResponsesSchema(Schema):
    """The fields and the rules across fields of one surface's requests.

    `load()` validates; what it returns is not forwarded, for it reorders keys.
    """

    class Meta:
        unknown = INCLUDE

    model = model_name()
    instructions = _text()
    input = fields.Raw(validate=_check_input)
    tools = fields.Raw(allow_none=True)
    tool_choice = fields.Raw(allow_none=True, validate=text_or_object)
    parallel_tool_calls = Flag(allow_none=True)
    stream = Flag(allow_none=True)
    reasoning = fields.Nested(ReasoningSchema, allow_none=True)
    text = fields.Nested(TextSchema, allow_none=True)
    store = Flag(validate=validate.Equal(False))
    include = fields.Raw(allow_none=True, validate=_check_include)
    service_tier = _text()
    conversation = fields.Raw(allow_none=True, validate=text_or_object)
    previous_response_id = _text()
    prompt_cache_key = _text()

    def __init__(
        self,
        surface: Surface,
        *,
        compact: bool = False,
        tools: tuple[TypeRule, ...] = (),
    ) -> None:
        """`tools`: an owner's rules about them, and a key's."""
        super().__init__()
        self.surface = surface
        self.compact = compact
        self._takes_messages = surface.takes_messages
        self.tool_policy = tool_policy(surface, tools)
        self._field_checks = FieldChecks(self)

    def normalize_and_check(
        self, document: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """The normalised payload, and what was changed about the document.

        Raises ValidationError, which marshmallow makes: it runs only for a payload
        that the quicker checks do not accept.
        """
        changes: list[str] = []
        payload: dict[str, Any] = self.normalize(document, changes)
        try:
            self._field_checks.check(payload)
            self.check_tools(payload, payload)
            self.check_presence(payload, payload)
            self.check_messages(payload)
            self.check_continuation(payload)
        except ValidationError:
            self.load(document)
        return payload, changes

    @pre_load
    def normalize(
        self, data: Any, changes: list[str] | None = None, **kwargs: Any
    ) -> Any:
        """Apply the surface's rules to a copy; add what they did to `changes`."""
        if not isinstance(data, Mapping):
            return data  # the schema itself reports the wrong type
        payload, made = normalize_responses_request_payload(
            data, self.surface, compact=self.compact, tools=self.tool_policy
        )
        if changes is not None:
            changes += made
        return payload

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_tools(
        self, data: Any, original_data: Mapping[str, Any], **kwargs: Any
    ) -> None:
        """Refuse tools, by their places in what the client sent."""
        if not isinstance(original_data, Mapping):
            return
        tools = original_data.get("tools")
        if tools is None:
            return
        if not isinstance(tools, list):
            raise ValidationError("Must be a list.", "tools")
        self.tool_policy.check(tools)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_presence(
        self, data: Any, original_data: Mapping[str, Any], **kwargs: Any
    ) -> None:
        """Require input and instructions, each of which may stand in several places."""
        if not isinstance(original_data, Mapping):
            return
        errors: dict[str, list[str]] = {}
        if (
            self.surface is Surface.CODEX
            and original_data.get("instructions") is None
            and not carries_base_instructions(original_data.get("input"))
        ):
            errors["instructions"] = ["Missing data for required field."]
        if "input" not in original_data and not self._has_messages(original_data):
            errors["input"] = ["Missing data for required field."]
        if errors:
            raise ValidationError(errors)

    @validates_schema(skip_on_field_errors=False)
    def check_messages(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Refuse messages: normalising would have made input of them if it could."""
        if not self._has_messages(data):
            return
        if data.get("input") not in (None, "", []):
            raise ValidationError("Cannot stand beside messages.", "input")
        if not isinstance(data["messages"], list):
            raise ValidationError("Must be a list.", "messages")
        try:
            convert_messages(data["messages"], None, native_parts=True)
        except MessageError as error:
            raise ValidationError(str(error), "messages") from error

    @validates_schema
    def check_continuation(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if _is_filled(data.get("conversation")) and _is_filled(
            data.get("previous_response_id")
        ):
            raise ValidationError(
                "Cannot stand beside previous_response_id.", "conversation"
            )

    def _has_messages(self, data: Mapping[str, Any]) -> bool:
        return self._takes_messages and data.get("messages") is not None


@lru_cache(maxsize=256)
def responses_schema(
    surface: Surface, compact: bool, tools: tuple[TypeRule, ...]
) -> ResponsesSchema:
    """Built once: making a schema costs more than using it."""
    return ResponsesSchema(surface, compact=compact, tools=tools)
