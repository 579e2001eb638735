"""JSON in and out: fast where that is exact, and a ValidationError where it fails."""

import json
import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas.body.prescan import refuse_costly

# orjson reads integers beyond 64 bits as floats; 19 digits are the first that can
# be one. Two passes at memory speed rule that out for all but a few bodies (a
# regular expression over 8 MiB takes ten times as long).
_DIGITS_AS_ZERO = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_MANY_DIGITS = b"0" * 19
_LONG_NUMBER = re.compile(rb"(?:^|[:,\[\s])-?[0-9]{19}")
# How deep json goes depends on how deep its caller is: a document that could be
# written when it was checked might not be when it is sent. So far it always goes.
MOST_LEVELS = 500


def decode(data: bytes) -> Any:
    """The JSON value; integers beyond 64 bits come as floats."""
    refuse_costly(data)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValidationError(f"Not valid JSON: {error}") from error


def decode_exactly(data: bytes) -> Any:
    """The JSON value with every integer exact; `data` has passed `decode`."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValidationError(
            "A number is too long, or the nesting too deep"
        ) from error


def has_long_number(data: bytes) -> bool:
    """Whether `decode` may have rounded an integer. True now and then without cause."""
    if _MANY_DIGITS not in data.translate(_DIGITS_AS_ZERO):
        return False
    return _LONG_NUMBER.search(data) is not None


def encode(value: Any) -> bytes:
    """Compact JSON, key order kept."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _encode_slowly(value)


def _encode_slowly(value: Any) -> bytes:
    """For what orjson will not write: long integers, more than 254 levels."""
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = list(chain.from_iterable(map(_within, level)))
    if level:
        raise ValidationError("Nested too deeply")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _within(value: Any) -> Iterable[Any]:
    """What the value holds, if it is a container."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
