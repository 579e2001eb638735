"""Input items: what other clients leave in them and upstream does not accept.

Everything here is copy-on-write: an item, a part or a list that needs no change is
returned as the same object, so a long history costs one check per item.
"""

from collections.abc import Mapping
from operator import is_
from typing import Any

from marshmallow import ValidationError

from schemas.body.json import encode
from schemas.content_parts import MessageError, seen_parts

# Reasoning and tool calls that chat-style clients interleave with the text.
_INTERLEAVED_KEYS = frozenset(
    {"reasoning_content", "reasoning_details", "tool_calls", "function_call"}
)
_REASONING_PARTS = ("reasoning", "reasoning_content", "reasoning_details")
_BASE_INSTRUCTION_ROLES = ("developer", "system")
_CALL_ID_KEYS = ("tool_call_id", "toolCallId", "call_id")


def normalize_items(items: list[Any]) -> tuple[list[Any], list[str]]:
    """The items as upstream accepts them, and what was changed about them.

    What cannot be repaired stays as it is, and `item_problem` reports it.
    """
    changes: dict[str, None] = {}
    cleaned = items
    for index, item in enumerate(items):
        if not isinstance(item, dict) or _is_clean(item):
            continue
        normalized = _normalize_item(item, changes)
        if normalized is not item:
            cleaned = list(items) if cleaned is items else cleaned
            cleaned[index] = normalized
    return cleaned, list(changes)


def items_for_chatgpt(items: list[Any]) -> tuple[list[Any], list[str]]:
    """The items as ChatGPT accounts take them from other clients than Codex.

    They refuse the role "system" (zyycn/codex-proxy-rs pull 172), and reasoning that is
    named but not sealed, for they keep none (vercel/ai issue 7543).
    """
    kept = []
    changes: dict[str, None] = {}
    for item in items:
        told = item if isinstance(item, dict) else {}
        if told.get("role") == "system" and _is_message(told):
            kept.append({**told, "role": "developer"})
            changes["system messages made developer"] = None
        elif told.get("type") == "reasoning" and not told.get("encrypted_content"):
            changes["reasoning without content dropped"] = None
        else:
            kept.append(item)
    return (kept if changes else items), list(changes)


def _is_clean(item: dict[str, Any]) -> bool:
    """Whether nothing has to change about the item; False is only a suspicion."""
    if not _INTERLEAVED_KEYS.isdisjoint(item):
        return False
    role, content = item.get("role"), item.get("content")
    if role == "tool":
        return False
    if not isinstance(content, list):
        return content is None or (role != "assistant" and isinstance(content, str))
    for part in content:
        if not isinstance(part, dict) or not _INTERLEAVED_KEYS.isdisjoint(part):
            return False
        kind = part.get("type")
        if kind != "output_text" if role == "assistant" else kind in _REASONING_PARTS:
            return False
    return True


def _normalize_item(item: dict[str, Any], changes: dict[str, None]) -> dict[str, Any]:
    role = item.get("role")
    if role == "tool" and _is_message(item):
        output = _tool_output(item)
        if output is not None:
            changes["tool messages made function_call_output"] = None
            return output
    cleaned = _without_interleaved(item)
    if cleaned is not item:
        changes["interleaved reasoning dropped"] = None
    if role == "assistant" and _is_message(item):
        content = cleaned.get("content")
        parts = _assistant_content(content)
        if parts is not content:
            changes["assistant text made output_text"] = None
            return cleaned | {"content": parts}
    return cleaned


def _is_message(item: Mapping[str, Any]) -> bool:
    """Whether the item is a message; items of other types are not edited."""
    return item.get("type") in (None, "message")


def _without_interleaved(item: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = _without_keys(item)
    content = cleaned.get("content")
    parts = _without_keys(content)
    if isinstance(content, list):
        kept = [_without_keys(part) for part in content if not _is_reasoning(part)]
        parts = _old_if_same(content, kept)
    return cleaned if parts is content else {**cleaned, "content": parts}


def _is_reasoning(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _REASONING_PARTS


def _without_keys(value: Any) -> Any:
    if not isinstance(value, dict) or _INTERLEAVED_KEYS.isdisjoint(value):
        return value
    return {key: value[key] for key in value if key not in _INTERLEAVED_KEYS}


def _old_if_same(old: list[Any], new: list[Any]) -> list[Any]:
    """The old list when the new one holds the same objects."""
    return old if len(new) == len(old) and all(map(is_, new, old)) else new


def _assistant_content(content: Any) -> Any:
    """Assistant content as a list of output_text parts, where it is text."""
    if isinstance(content, str | dict):
        return [_assistant_part(content)]
    if not isinstance(content, list):
        return content
    return _old_if_same(content, [_assistant_part(part) for part in content])


def _assistant_part(part: Any) -> Any:
    if isinstance(part, str):
        return {"type": "output_text", "text": part}
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind in (None, "text", "input_text") and isinstance(part.get("text"), str):
        return part | {"type": "output_text"}
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        kept = {key: part[key] for key in part if key != "refusal"}
        return kept | {"type": "output_text", "text": part["refusal"]}
    return part


def _tool_output(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """The function_call_output for a tool message, None when it cannot be one."""
    call_id = tool_call_id(item)
    if call_id is None:
        return None
    output = item.get("output")
    result = item.get("content") if output is None else output
    try:
        told = seen_parts(result) or _plain_text(result)
    except (MessageError, ValidationError):
        return None  # stays as it is; `item_problem` reports it
    return {"type": "function_call_output", "call_id": call_id, "output": told}


def tool_call_id(message: Mapping[str, Any]) -> str | None:
    """The id of the call a tool message answers, under any of its spellings."""
    ids = (message.get(key) for key in _CALL_ID_KEYS)
    return next((value for value in ids if isinstance(value, str) and value), None)


def _plain_text(content: Any) -> str:
    """Any content as one string: texts joined, all else as compact JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = part_texts(content)
        if texts is not None:
            return "".join(texts)
    elif (text := part_text(content)) is not None:
        return text
    return encode(content).decode()


def part_text(part: Any) -> str | None:
    """The text of one content part, None when it holds none."""
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        for key in ("text", "refusal"):
            if isinstance(part.get(key), str):
                return str(part[key])
    return None


def part_texts(parts: list[Any]) -> list[str] | None:
    """The texts of all content parts, None when one of them holds none."""
    texts = [text for text in map(part_text, parts) if text is not None]
    return texts if len(texts) == len(parts) else None


def carries_base_instructions(items: Any) -> bool:
    """Whether `input` holds base instructions, so that `instructions` may be absent."""
    return isinstance(items, list) and any(map(_is_base_instruction, items))


def _is_base_instruction(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    if item.get("type") == "additional_tools":
        return True
    return _is_message(item) and item.get("role") in _BASE_INSTRUCTION_ROLES


def first_user_text(items: Any) -> str:
    """The first user message's text, "" when there is none."""
    if not isinstance(items, list):
        return ""
    for item in items:
        if isinstance(item, dict) and item.get("role") == "user":
            content = item.get("content")
            parts = content if isinstance(content, list) else [content]
            return next((text for text in map(part_text, parts) if text), "")
    return ""


def item_problem(items: list[Any]) -> str | None:
    """Why the items cannot go upstream, None when they can."""
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            continue
        content = item.get("content")
        parts = content if isinstance(content, list) else ()
        if _names_stored_file(item) or any(map(_names_stored_file, parts)):
            within = next(
                (
                    f".content[{n}]"
                    for n, p in enumerate(parts)
                    if _names_stored_file(p)
                ),
                "",
            )
            return (
                f"input[{index}]{within}.file_id is not available here: "
                "send the data or a URL"
            )
        if item.get("role") == "tool" and _is_message(item):
            return f"input[{index}] needs the id of the call it answers and a result"
    return None


def _names_stored_file(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and part.get("type") == "input_file"
        and bool(part.get("file_id"))
    )
