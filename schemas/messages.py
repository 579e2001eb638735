"""Converts chat-style `messages` to Responses `input` items and instructions."""

from collections.abc import Mapping
from typing import Any

from schemas.content_parts import MessageError, input_parts, seen_parts
from schemas.items import part_texts, tool_call_id

_TEXT_PARTS = (None, "text", "input_text", "output_text", "refusal")
_INSTRUCTION_ROLES = ("system", "developer")
# Of a call's id, which the deprecated `function_call` does not have.
_LONGEST_CALL_ID = 64


def convert_messages(
    messages: list[Any],
    instructions: str | None,
    *,
    native_parts: bool = False,
    text: Any = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """The input items, and the instructions with the leading system messages added.

    Later ones keep their place, for they hold from there on. `native_parts`: user
    content may hold Responses parts, which pass as they are. `text` is what the
    answer's is to be: where that is a JSON object, system messages stay in the input
    from the first with the word JSON on, where upstream looks for it. Raises
    MessageError.
    """
    conversation = _Conversation(native_parts)
    texts = [instructions] if instructions else []
    is_leading, keeps_json = True, _is_json_object(text)
    for index, message in enumerate(messages):
        try:
            told = _instruction(message)
            if told is None:
                conversation.add(message)
        except MessageError as error:
            raise error.within(f"messages[{index}]") from error
        is_json = keeps_json and told is not None and "json" in told.lower()
        is_leading = is_leading and told is not None and not is_json
        if told is not None and is_leading:
            texts.append(told)
        elif told is not None:
            conversation.items.append(_developer_item(told))
    return conversation.items, "\n".join(texts) if texts else instructions


def _is_json_object(text: Any) -> bool:
    format = text.get("format") if isinstance(text, Mapping) else None
    return isinstance(format, Mapping) and format.get("type") == "json_object"


def _instruction(message: Any) -> str | None:
    """The text of a system message, None for one of the conversation."""
    if not isinstance(message, Mapping):
        raise MessageError("A message must be an object.")
    if message.get("role") not in _INSTRUCTION_ROLES:
        return None
    return _text_only(message.get("content"))


class _Conversation:
    """The items so far, and which calls the results to come may answer."""

    def __init__(self, native_parts: bool) -> None:
        self.items: list[dict[str, Any]] = []
        self._native_parts = native_parts
        self._messages = 0
        self._custom_calls: set[str] = set()
        self._unanswered: dict[str, str] = {}  # name of a function → id of its call

    def add(self, message: Mapping[str, Any]) -> None:
        self._messages += 1
        match message.get("role"):
            case "user":
                self.items.append(self._user_item(message.get("content")))
            case "assistant":
                self._add_assistant(message)
            case "tool":
                self.items.append(self._tool_item(message))
            case "function":
                self.items.append(self._function_item(message))
            case _:
                raise MessageError("A message needs a known role.")

    def _user_item(self, content: Any) -> dict[str, Any]:
        if isinstance(content, str):
            parts = [{"type": "input_text", "text": content}]
        elif isinstance(content, list | dict):
            given = content if isinstance(content, list) else [content]
            parts = input_parts(given, native_parts=self._native_parts)
        else:
            raise MessageError("A user message needs content.")
        return {"role": "user", "content": parts}

    def _add_assistant(self, message: Mapping[str, Any]) -> None:
        """The message's text as one item, then one item for each tool call."""
        texts = _assistant_texts(message)
        calls = message.get("tool_calls")
        if not isinstance(calls, list | None):
            raise MessageError("tool_calls must be a list.")
        made = [self._call_item(call) for call in calls or ()]
        if message.get("function_call") is not None:
            made.append(self._legacy_call_item(message["function_call"]))
        if made:
            texts = [text for text in texts if text]
        if texts:
            content = [{"type": "output_text", "text": text} for text in texts]
            self.items.append({"role": "assistant", "content": content})
        self.items += made

    def _call_item(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, Mapping) or not _is_filled(call.get("id")):
            raise MessageError("A tool call needs an id.")
        if isinstance(call.get("custom"), Mapping):
            self._custom_calls.add(call["id"])
            return {
                "type": "custom_tool_call",
                "call_id": call["id"],
                **_named(call["custom"], "input"),
            }
        return {
            "type": "function_call",
            "call_id": call["id"],
            **_named(call.get("function"), "arguments"),
        }

    def _legacy_call_item(self, function: Any) -> dict[str, Any]:
        """The deprecated call of a function; its id is the same in every turn."""
        named = _named(function, "arguments")
        call_id = f"call_{self._messages}_{named['name']}"[:_LONGEST_CALL_ID]
        self._unanswered[named["name"]] = call_id
        return {"type": "function_call", "call_id": call_id, **named}

    def _tool_item(self, message: Mapping[str, Any]) -> dict[str, Any]:
        call_id = tool_call_id(message)
        if call_id is None:
            raise MessageError("A tool message needs the id of the call it answers.")
        is_custom = call_id in self._custom_calls
        kind = "custom_tool_call_output" if is_custom else "function_call_output"
        return {
            "type": kind,
            "call_id": call_id,
            "output": _output(message.get("content")),
        }

    def _function_item(self, message: Mapping[str, Any]) -> dict[str, Any]:
        name = message.get("name")
        call_id = self._unanswered.pop(name, None) if isinstance(name, str) else None
        if call_id is None:
            raise MessageError("A function message needs the call that it answers.")
        content = message.get("content")
        output = "" if content is None else _output(content)
        return {"type": "function_call_output", "call_id": call_id, "output": output}


def _developer_item(text: str) -> dict[str, Any]:
    """Further instructions in their place; ChatGPT refuses the role "system"."""
    return {"role": "developer", "content": [{"type": "input_text", "text": text}]}


def _assistant_texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    texts = [] if content is None else _texts_of(content)
    if texts is None:
        raise MessageError("An assistant message holds text only.")
    if isinstance(message.get("refusal"), str):
        texts.append(message["refusal"])
    return texts


def _named(tool: Any, value: str) -> dict[str, Any]:
    """The name of a called tool, and what it was called with."""
    if not isinstance(tool, Mapping) or not _is_filled(tool.get("name")):
        raise MessageError("A tool call needs a named function or tool.")
    if not isinstance(tool.get(value), str):
        raise MessageError(f"A tool call's {value} must be a string.")
    return {"name": tool["name"], value: tool[value]}


def _output(content: Any) -> str | list[dict[str, Any]]:
    """A tool's result: a text, a list only where it holds a picture or a file."""
    return seen_parts(content) or _text_only(content)


def _text_only(content: Any) -> str:
    """The text of content that must be text only."""
    texts = _texts_of(content)
    if texts is None:
        raise MessageError("Only text can stand here.")
    return "".join(texts)


def _texts_of(content: Any) -> list[str] | None:
    """The texts of all content parts, None when one of them holds something else."""
    parts = content if isinstance(content, list) else [content]
    if any(isinstance(part, Mapping) and not _is_text(part) for part in parts):
        return None
    return part_texts(parts)


def _is_text(part: Mapping[str, Any]) -> bool:
    return part.get("type") in _TEXT_PARTS


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
