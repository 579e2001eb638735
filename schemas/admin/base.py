"""What all schemas of the admin API share."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

NAME = validate.Length(min=1, max=128)


class AdminSchema(Schema):
    """Unknown fields are mistakes here: the client is the owner's own program."""

    class Meta:
        unknown = RAISE


class ErrorBodySchema(AdminSchema):
    message = fields.String(required=True)
    code = fields.String(required=True)
    type = fields.String()
    origin = fields.String()
    param = fields.String()
    request_id = fields.String()


class ErrorSchema(AdminSchema):
    """Every failure looks like this."""

    error = fields.Nested(ErrorBodySchema, required=True)


class NamedSchema(AdminSchema):
    """What the change was made to."""

    name = fields.String(required=True)


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
