"""Reading JSON that may be anything: what does not fit is absent, nothing raises."""

import math
from typing import Any

import orjson

# Below this a parse takes single milliseconds whatever the text is.
_ALWAYS_PARSED_BYTES = 1024 * 1024
# Parsing holds the loop for about 0.1 µs per value: `[[],[],…]` of 16 MiB would
# hold it for more than a second, a real event of that size for 40 ms.
_MAX_SEPARATORS = 1_000_000
_LARGEST_COUNT = 2**53


def load_object(data: bytes | str) -> dict[str, Any]:
    """The JSON object in `data`; empty when there is none, or a far too dense one."""
    if len(data) > _ALWAYS_PARSED_BYTES and _is_too_dense(data):
        return {}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


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


def count(value: Any) -> int:
    """A number of tokens; 0 for whatever is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value <= _LARGEST_COUNT else 0


def number(value: Any) -> float | None:
    """A finite number, or a string that spells one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
