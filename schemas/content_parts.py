"""Content parts in the vocabulary of chat, as parts of Responses input items."""

from collections.abc import Callable, Mapping
from typing import Any

_NATIVE_PARTS = frozenset({"input_text", "input_image", "input_file"})
# Parts of a tool's result that text cannot stand for.
_SEEN_PARTS = frozenset({"image_url", "file", "input_image", "input_file"})


# What clients of other APIs send; types that are not known here may be any text.
_OTHER_PARTS = frozenset(
    {"audio", "document", "image", "input_audio", "output_text", "refusal", "video_url"}
)


class MessageError(ValueError):
    """Why a conversation cannot be converted, and where that stands in it."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place}: {reason[:1].lower()}{reason[1:]}")
        self._reason, self._place = reason, place

    def within(self, outer: str) -> "MessageError":
        """The same, of something inside of what is called `outer`."""
        return MessageError(self._reason, outer + self._place)


def input_parts(parts: list[Any], *, native_parts: bool) -> list[dict[str, Any]]:
    """The Responses parts for those of chat; native ones pass where they may stand.

    Raises MessageError.
    """
    converted = []
    for index, part in enumerate(parts):
        try:
            converted.append(_input_part(part, native_parts))
        except MessageError as error:
            raise error.within(f".content[{index}]") from error
    return converted


def _input_part(part: Any, native_parts: bool) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise MessageError("A content part needs a type.")
    if native_parts and kind in _NATIVE_PARTS:
        _refuse_stored_file(part)
        return dict(part)
    convert = _PARTS.get(kind)
    if convert is None:
        known = kind in _OTHER_PARTS or kind in _NATIVE_PARTS
        told = f"of type {kind}" if known else "of an unknown type"
        raise MessageError(f"Parts {told} are not available here.")
    return convert(part)


def seen_parts(content: Any) -> list[dict[str, Any]] | None:
    """A tool's result as a list of parts, None when it holds no picture and no file.

    Only then it is a list: text reaches more models as a string. Raises MessageError.
    """
    parts = content if isinstance(content, list) else [content]
    if not any(isinstance(part, dict) and _is_seen(part) for part in parts):
        return None
    return input_parts(
        [{"type": "input_text", "text": p} if isinstance(p, str) else p for p in parts],
        native_parts=True,
    )


def _is_seen(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    return isinstance(kind, str) and kind in _SEEN_PARTS


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
    converted = {"type": "input_file", **_file_source(file)}
    if isinstance(file.get("filename"), str):
        converted["filename"] = file["filename"]
    return converted


def _refuse_stored_file(file: Mapping[str, Any]) -> None:
    if file.get("file_id"):
        raise MessageError("Stored files are not available: send the data or a URL.")


def _file_source(file: Mapping[str, Any]) -> dict[str, str]:
    """The file's own URL, or its data.

    Data never goes up as `file_url`, which upstream tries to download.
    """
    url = file.get("file_url")
    if isinstance(url, str) and url:
        return {"file_data" if url.startswith("data:") else "file_url": url}
    for data_key, type_key in (("file_data", "mime_type"), ("data", "content_type")):
        data = file.get(data_key)
        if not isinstance(data, str) or not data:
            continue
        if data.startswith("data:"):
            return {"file_data": data}
        media_type = file.get(type_key)
        if isinstance(media_type, str) and media_type:
            return {"file_data": f"data:{media_type};base64,{data}"}
    raise MessageError("A file part needs a URL, or data and its type.")


_PARTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "text": _text_part,
    "image_url": _image_part,
    "file": _file_part,
}
