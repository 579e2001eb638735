"""Converts chat-style `messages` to Responses `input` items and instructions."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow.exceptions import SCHEMA

from schemas.items import part_texts, tool_call_id

_NATIVE_PARTS = frozenset({"input_text", "input_image", "input_file"})
_TEXT_PARTS = (None, "text", "input_text", "output_text", "refusal")


class MessageError(ValueError):
    """Why a conversation cannot be converted.

    `field` is what chat completions name for it: nothing for a wrong outline (a role,
    the kind of a part, a call without a function), `messages` for a value inside.
    """

    def __init__(self, message: str, field: str = SCHEMA) -> None:
        super().__init__(message)
        self.field = field


def convert_messages(
    messages: list[Any], instructions: str | None, *, native_parts: bool = False
) -> tuple[list[dict[str, Any]], str | None]:
    """The input items, and the instructions with the system messages added.

    `native_parts`: user content may hold Responses parts, which pass as they are.
    Raises MessageError.
    """
    items: list[dict[str, Any]] = []
    texts = [instructions] if instructions else []
    for message in messages:
        if not isinstance(message, Mapping):
            raise MessageError("A message must be an object.")
        match message.get("role"):
            case "system" | "developer":
                texts.append(_text_only(message.get("content")))
            case "user":
                items.append(_user_item(message.get("content"), native_parts))
            case "assistant":
                items.extend(_assistant_items(message))
            case "tool":
                items.append(_tool_item(message))
            case _:
                raise MessageError("A message needs a known role.")
    return items, "\n".join(texts) if texts else instructions


def _text_only(content: Any) -> str:
    """The text of content that must be text only."""
    texts = _texts_of(content)
    if texts is None:
        raise MessageError("Only text can stand here.", "messages")
    return "".join(texts)


def _texts_of(content: Any) -> list[str] | None:
    """The texts of all content parts, None when one of them holds something else."""
    parts = content if isinstance(content, list) else [content]
    if any(isinstance(part, Mapping) and not _is_text(part) for part in parts):
        return None
    return part_texts(parts)


def _is_text(part: Mapping[str, Any]) -> bool:
    return part.get("type") in _TEXT_PARTS


def _user_item(content: Any, native_parts: bool) -> dict[str, Any]:
    if isinstance(content, str):
        parts = [{"type": "input_text", "text": content}]
    elif isinstance(content, list):
        parts = [_user_part(part, native_parts) for part in content]
    elif isinstance(content, dict):
        parts = [_user_part(content, native_parts)]
    else:
        raise MessageError("A user message needs content.")
    return {"role": "user", "content": parts}


def _user_part(part: Any, native_parts: bool) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise MessageError("A content part needs a type.")
    if native_parts and kind in _NATIVE_PARTS:
        _refuse_stored_file(part)
        return dict(part)
    convert = _USER_PARTS.get(kind)
    if convert is None:
        raise MessageError(f"Unknown content part: {kind:.40}.")
    return convert(part)


def _text_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(part.get("text"), str):
        raise MessageError("A text part needs a text.")
    return {"type": "input_text", "text": part["text"]}


def _image_part(part: Mapping[str, Any]) -> dict[str, Any]:
    image = part.get("image_url")
    if not isinstance(image, Mapping) or not isinstance(image.get("url"), str):
        raise MessageError("An image part needs image_url.url.")
    converted = {"type": "input_image", "image_url": image["url"]}
    if image.get("detail") is not None:
        converted["detail"] = image["detail"]
    return converted


def _file_part(part: Mapping[str, Any]) -> dict[str, Any]:
    file = part.get("file")
    if not isinstance(file, Mapping):
        raise MessageError("A file part needs its file object.")
    _refuse_stored_file(file)
    converted = {"type": "input_file", "file_url": _file_url(file)}
    if isinstance(file.get("filename"), str):
        converted["filename"] = file["filename"]
    return converted


def _refuse_stored_file(file: Mapping[str, Any]) -> None:
    if file.get("file_id"):
        raise MessageError(
            "Stored files are not available: send the data or a URL.", "messages"
        )


def _file_url(file: Mapping[str, Any]) -> str:
    """The file's own URL, or its data as one."""
    url = file.get("file_url")
    if isinstance(url, str) and url:
        return url
    for data_key, type_key in (("file_data", "mime_type"), ("data", "content_type")):
        data = file.get(data_key)
        if not isinstance(data, str) or not data:
            continue
        if data.startswith("data:"):
            return data
        media_type = file.get(type_key)
        if isinstance(media_type, str) and media_type:
            return f"data:{media_type};base64,{data}"
    raise MessageError("A file part needs a URL, or data and its type.")


_USER_PARTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "text": _text_part,
    "image_url": _image_part,
    "file": _file_part,
}


def _assistant_items(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The message's text as one item, then one item for each tool call."""
    content = message.get("content")
    texts = [] if content is None else _texts_of(content)
    if texts is None:
        raise MessageError("An assistant message holds text only.")
    if isinstance(message.get("refusal"), str):
        texts.append(message["refusal"])
    calls = message.get("tool_calls")
    if not isinstance(calls, list | None):
        raise MessageError("tool_calls must be a list.")
    items = [_call_item(call) for call in calls or ()]
    if texts:
        content = [{"type": "output_text", "text": text} for text in texts]
        items.insert(0, {"role": "assistant", "content": content})
    return items


def _call_item(call: Any) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not (
        _is_filled(call.get("id")) and _is_filled(function.get("name"))
    ):
        raise MessageError("A tool call needs an id and a named function.")
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        raise MessageError("A tool call's arguments must be a string.", "messages")
    return {
        "type": "function_call",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": arguments,
    }


def _tool_item(message: Mapping[str, Any]) -> dict[str, Any]:
    call_id = tool_call_id(message)
    if call_id is None:
        raise MessageError("A tool message needs the id of the call it answers.")
    output = _text_only(message.get("content"))
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
