"""Chat-style `messages` as Responses `input` items and instructions."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.items import part_text, tool_call_id

_NATIVE_PARTS = frozenset({"input_text", "input_image", "input_file"})


class MessageError(ValueError):
    """Why a conversation cannot be converted.

    `is_shape`: its outline is wrong (a role, a part's kind, a call's frame), which
    chat completions report without a field; else a value inside it is.
    """

    def __init__(self, message: str, *, is_shape: bool = False) -> None:
        super().__init__(message)
        self.is_shape = is_shape


def convert_messages(
    messages: list[Any], instructions: str | None, *, native_parts: bool = False
) -> tuple[list[dict[str, Any]], str | None]:
    """Input items, and the instructions with what system messages add to them.

    `native_parts`: user content may hold Responses parts, which pass as they are.
    Raises MessageError.
    """
    items: list[dict[str, Any]] = []
    texts = [instructions] if instructions else []
    for message in messages:
        if not isinstance(message, Mapping):
            raise MessageError("A message must be an object.", is_shape=True)
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
                raise MessageError("A message needs a known role.", is_shape=True)
    return items, "\n".join(texts) if texts else instructions


def _text_only(content: Any) -> str:
    """The text of content that may hold nothing else."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [_text_of(part) for part in parts]
    if None in texts:
        raise MessageError("Only text can stand here.")
    return "".join(text for text in texts if text is not None)


def _text_of(part: Any) -> str | None:
    if isinstance(part, Mapping) and part.get("type") not in (
        None,
        "text",
        "input_text",
        "output_text",
        "refusal",
    ):
        return None
    return part_text(part)


def _user_item(content: Any, native_parts: bool) -> dict[str, Any]:
    if isinstance(content, str):
        parts = [{"type": "input_text", "text": content}]
    elif isinstance(content, list):
        parts = [_user_part(part, native_parts) for part in content]
    elif isinstance(content, dict):
        parts = [_user_part(content, native_parts)]
    else:
        raise MessageError("A user message needs content.", is_shape=True)
    return {"role": "user", "content": parts}


def _user_part(part: Any, native_parts: bool) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise MessageError("A content part needs a type.", is_shape=True)
    if native_parts and kind in _NATIVE_PARTS:
        _refuse_stored_file(part)
        return dict(part)
    convert = _USER_PARTS.get(kind)
    if convert is None:
        raise MessageError(f"Unknown content part: {kind:.40}.", is_shape=True)
    return convert(part)


def _text_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(part.get("text"), str):
        raise MessageError("A text part needs a text.", is_shape=True)
    return {"type": "input_text", "text": part["text"]}


def _image_part(part: Mapping[str, Any]) -> dict[str, Any]:
    image = part.get("image_url")
    if not isinstance(image, Mapping) or not isinstance(image.get("url"), str):
        raise MessageError("An image part needs image_url.url.", is_shape=True)
    converted = {"type": "input_image", "image_url": image["url"]}
    if image.get("detail") is not None:
        converted["detail"] = image["detail"]
    return converted


def _file_part(part: Mapping[str, Any]) -> dict[str, Any]:
    file = part.get("file")
    if not isinstance(file, Mapping):
        raise MessageError("A file part needs its file object.", is_shape=True)
    _refuse_stored_file(file)
    converted = {"type": "input_file", "file_url": _file_url(file)}
    if isinstance(file.get("filename"), str):
        converted["filename"] = file["filename"]
    return converted


def _refuse_stored_file(file: Mapping[str, Any]) -> None:
    if file.get("file_id"):
        raise MessageError("Stored files are not available: send the data or a URL.")


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
    raise MessageError("A file part needs a URL, or data and its type.", is_shape=True)


_USER_PARTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "text": _text_part,
    "image_url": _image_part,
    "file": _file_part,
}


def _assistant_items(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the assistant said, then the calls it made."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [] if content is None else [_text_of(part) for part in parts]
    if None in texts:
        raise MessageError("An assistant message holds text only.", is_shape=True)
    if isinstance(message.get("refusal"), str):
        texts.append(message["refusal"])
    calls = message.get("tool_calls")
    if calls is None:
        calls = []
    if not isinstance(calls, list):
        raise MessageError("tool_calls must be a list.", is_shape=True)
    items = [_call_item(call) for call in calls]
    if texts:
        spoken = [{"type": "output_text", "text": text} for text in texts]
        items.insert(0, {"role": "assistant", "content": spoken})
    return items


def _call_item(call: Any) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not (
        _is_filled(call.get("id")) and _is_filled(function.get("name"))
    ):
        raise MessageError(
            "A tool call needs an id and a named function.", is_shape=True
        )
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        raise MessageError("A tool call's arguments must be a string.")
    return {
        "type": "function_call",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": arguments,
    }


def _tool_item(message: Mapping[str, Any]) -> dict[str, Any]:
    call_id = tool_call_id(message)
    if call_id is None:
        raise MessageError(
            "A tool message needs the id of the call it answers.", is_shape=True
        )
    output = _text_only(message.get("content"))
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
