"""marshmallow schemas of the operator's entities, made from their descriptions."""

import functools
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from gateway.admin.entity import Entity, Field

_TYPES: dict[type, type[fields.Field[Any]]] = {
    str: fields.String,
    float: fields.Float,
    bool: fields.Boolean,
    dict: fields.Dict,
}


class AdminSchema(Schema):
    """Unknown fields are mistakes here: the client is the owner's own program."""

    class Meta:
        unknown = RAISE


@functools.cache
def schema_class(entity: Entity) -> type[AdminSchema]:
    made = {field.name: _field(field) for field in entity.fields}
    return type(entity.name, (AdminSchema,), made)


def _field(field: Field) -> fields.Field[Any]:
    options: dict[str, Any] = {}
    if field.nullable:
        options["allow_none"] = True
    if field.required:
        options["required"] = True
    if field.is_secret:
        options["load_only"] = True
    if field.default is not ...:
        options["load_default"] = field.default
    if field.description:
        options["metadata"] = {"description": field.description}
    checks = _checks(field)
    if field.many:
        if field.most is not None:
            options["validate"] = validate.Length(max=field.most)
        return fields.List(_value(field, checks), **options)
    return _value(field, checks | options)


def _value(field: Field, options: dict[str, Any]) -> fields.Field[Any]:
    if isinstance(field.type, Entity):
        return fields.Nested(schema_class(field.type), **options)
    if field.type is int:
        return fields.Integer(strict=not field.is_query, **options)
    return _TYPES[field.type](**options)


def _checks(field: Field) -> dict[str, Any]:
    if field.choices:
        return {"validate": validate.OneOf(field.choices)}
    if field.bounds is None:
        return {}
    low, high = field.bounds
    if field.type is not int:
        return {"validate": validate.Length(min=low, max=high)}
    words = field.out_of_range("{input}")
    return {"validate": validate.Range(min=low, max=high, error=words)}


def first_message(error: ValidationError) -> tuple[str, str | None]:
    """The first thing that is wrong, for people, and the field it is about."""
    path: list[str] = []
    found: Any = error.normalized_messages()  # type: ignore[no-untyped-call]
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        if name != "_schema":
            path.append(str(name))
    text = str(found[0] if isinstance(found, list) and found else found)
    field = ".".join(path)
    return (f"{field}: {text}" if field else text), field or None
