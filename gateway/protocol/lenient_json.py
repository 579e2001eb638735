"""Reading JSON that may be anything: what does not fit is absent, nothing raises."""

import json
from typing import Any

import orjson

# Below this a parse takes single milliseconds whatever the text is.
_ALWAYS_PARSED_BYTES = 1024 * 1024
# Parsing holds the loop for about 0.1 µs per value: `[[],[],…]` of 16 MiB would
# hold it for more than a second, a real event of that size for 40 ms.
_MAX_SEPARATORS = 1_000_000
_LONGEST_INTEGER = 19  # digits, of 64 bits


def load_object(data: bytes | str) -> dict[str, Any]:
    """The JSON object in `data`; empty when there is none, or a far too dense one."""
    if len(data) > _ALWAYS_PARSED_BYTES and _is_too_dense(data):
        return {}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = _load_odd_numbers(data)
    return value if isinstance(value, dict) else {}


def _load_odd_numbers(data: bytes | str) -> Any:
    """The JSON of a writer that knows NaN, infinity and numbers beyond them, as null.

    One such number must not cost the facts beside it.
    """
    if len(data) > _ALWAYS_PARSED_BYTES:
        return None
    try:
        # Only what orjson writes is what it would have read.
        return orjson.loads(orjson.dumps(json.loads(data, parse_int=_bounded_integer)))
    except (ValueError, TypeError, RecursionError):
        return None


def _bounded_integer(digits: str) -> float:
    return int(digits) if len(digits) < _LONGEST_INTEGER else float(digits)


def dump(value: dict[str, Any]) -> bytes | None:
    """The JSON of what `load_object` gave; None for more levels than are written.

    It reads 1,024 levels and writes 254.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return None


def _is_too_dense(data: bytes | str) -> bool:
    if isinstance(data, str):
        separators = data.count("[") + data.count("{") + data.count(",")
    else:
        separators = data.count(b"[") + data.count(b"{") + data.count(b",")
    return separators > _MAX_SEPARATORS


def child(value: Any, key: str) -> dict[str, Any]:
    """The object under `key`, or an empty one."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def text(value: Any) -> str | None:
    """A string with something in it."""
    return value if isinstance(value, str) and value else None
