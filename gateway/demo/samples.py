"""A value that satisfies a simple JSON schema."""

from typing import Any


def sample(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """Knows $ref into the same document, anyOf, enum, const and the plain types."""
    root = root if root is not None else schema
    if "$ref" in schema:
        return sample(_resolve(str(schema["$ref"]), root), root)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return sample(schema[choice][0], root)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {name: sample(part, root) for name, part in properties.items()}
    if kind == "array":
        count = max(1, int(schema.get("minItems", 1)))
        return [sample(schema.get("items") or {}, root) for _ in range(count)]
    return _scalar(kind, schema)


def _scalar(kind: Any, schema: dict[str, Any]) -> Any:
    if kind in {"integer", "number"}:
        return schema.get("minimum", 7)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = "A scripted answer".ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part) if isinstance(found, dict) else None
    # A schema that refers to itself as a whole would never end.
    return found if isinstance(found, dict) and found is not root else {}
