"""Checks a payload's fields without marshmallow's cost.

Nearly every payload is valid, and marshmallow takes ten times as long to find that
out. The checks are made from the schema's own fields, so no rule is stated twice;
whatever they do not accept is for marshmallow to judge, and to name.
"""

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields

from schemas.fields import Flag

# What a field of exactly this class accepts, before its validators.
_ACCEPTED_TYPES: dict[type[fields.Field[Any]], type] = {
    Flag: bool,
    fields.Raw: object,
    fields.String: str,
}

# The type of a value, whether it may be None, and the validators.
FieldRule = tuple[type | tuple[()], bool, Sequence[Callable[[Any], Any]]]


class FieldChecks:
    """The checks of one schema's fields; its validators across fields are left out."""

    def __init__(self, schema: Schema) -> None:
        loaded = schema.load_fields
        self._rules = {name: _rule_of(field) for name, field in loaded.items()}
        self._required = {name for name, field in loaded.items() if field.required}

    def check(self, payload: Any) -> None:
        """Raise ValidationError unless every field is certain to be valid."""
        if not isinstance(payload, dict) or not self._required <= payload.keys():
            raise ValidationError("Not certain.")
        for name, value in payload.items():
            rule = self._rules.get(name)
            if rule is None:
                continue
            accepted, is_optional, validators = rule
            if value is None and is_optional:
                continue
            if not isinstance(value, accepted):
                raise ValidationError("Not certain.")
            for validate in validators:
                validate(value)


def _rule_of(field: fields.Field[Any]) -> FieldRule:
    if type(field) is fields.Nested:
        return object, field.allow_none, (FieldChecks(field.schema).check,)
    accepted = _ACCEPTED_TYPES.get(type(field))
    if accepted is None:
        return (), False, ()  # nothing is certain about a field of another class
    return accepted, field.allow_none, field.validators
