"""Values that satisfy a JSON schema, as structured output and tools ask for them."""

import json
import math
from typing import Any

from gateway.demo.answers import JsonObject

TEXT = "A scripted answer"
# A schema may refer to itself; so deep, the shortest value that fits is taken.
_DEEP = 5
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@demo.example",
    "hostname": "demo.example",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://demo.example/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def wanted_text(payload: JsonObject) -> str | None:
    """The text that `text.format` asks for; None when any will do."""
    wanted = as_object(as_object(payload.get("text")).get("format"))
    if wanted.get("type") == "json_schema":
        return json.dumps(sample(as_object(wanted.get("schema"))))
    return json.dumps({"answer": TEXT}) if wanted.get("type") == "json_object" else None


def sample(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """A value that satisfies a schema of the kind structured output may have.

    Knows $ref into the same document, anyOf, allOf, enum, const, the plain types
    with their bounds, and the usual formats; patterns it does not know.
    """
    schema = _merged(as_object(schema))
    root = schema if root is None else root
    if "$ref" in schema and depth < 4 * _DEEP:
        return sample(_resolve(str(schema["$ref"]), root), root, depth + 1)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return sample(_choice(choices, depth), root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind == "object" or "properties" in schema:
        return _object(schema, root, depth)
    if kind == "array":
        count = int(schema.get("minItems", 0 if depth > _DEEP else 1))
        count = min(max(count, 0), int(schema.get("maxItems", count)))
        return [sample(schema.get("items"), root, depth + 1) for _ in range(count)]
    return _scalar(kind, schema)


def _merged(schema: JsonObject) -> JsonObject:
    parts = [as_object(one) for one in schema.get("allOf") or ()]
    return {**schema, **{key: one[key] for one in parts for key in one}}


def _choice(choices: list[Any], depth: int) -> Any:
    """The first; far down one that ends there, where there is one."""
    ending = (one for one in choices if as_object(one).get("type") == "null")
    return next(ending, choices[0]) if depth > _DEEP else choices[0]


def _object(schema: JsonObject, root: Any, depth: int) -> JsonObject:
    properties = as_object(schema.get("properties"))
    names = schema.get("required") or () if depth > _DEEP else properties
    return {
        name: sample(properties.get(name), root, depth + 1)
        for name in names
        if depth < 2 * _DEEP  # what requires itself has no end
    }


def _scalar(kind: Any, schema: JsonObject) -> Any:
    if kind in {"integer", "number"}:
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = _FORMATS.get(str(schema.get("format")), TEXT)
    text = text.ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _number(schema: JsonObject, *, whole: bool) -> float:
    """7 where the bounds allow it, else the nearest number within them."""
    step = schema.get("multipleOf") or 1
    above = schema.get("exclusiveMinimum")
    least = schema.get("minimum", -math.inf if above is None else above + step / 2)
    below = schema.get("exclusiveMaximum")
    most = schema.get("maximum", math.inf if below is None else below - step / 2)
    number = max(min(7, most), least)
    if "multipleOf" in schema or whole:
        number = math.ceil(number / step) * step
        number = number - step if number > most else number
    return int(number) if whole else number


def _resolve(reference: str, root: Any) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            part = part.replace("~1", "/").replace("~0", "~")
            found = found.get(part) if isinstance(found, dict) else None
    return found


def as_object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
