"""A quick look at a payload: is it valid beyond doubt?

Nearly every request is, and finding out what is wrong with the others costs ten
times as much. The look is made from a schema's own fields, so it knows no rule that
is not there; whatever it is not sure of is for the schema to judge.
"""

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields

from schemas.flag import Flag

# What a field of exactly this class takes, before its validators.
_TAKEN: dict[type[fields.Field[Any]], type] = {
    Flag: bool,
    fields.Raw: object,
    fields.String: str,
}

Look = Callable[[Any], bool]


class Glance:
    """Looks at what one schema's fields say; rules across fields are not in it."""

    def __init__(self, schema: Schema) -> None:
        loaded = schema.load_fields
        self._looks = {name: _look_of(field) for name, field in loaded.items()}
        self._required = {name for name, field in loaded.items() if field.required}

    def __call__(self, payload: Any) -> bool:
        """True: every field is valid. False says nothing."""
        if not isinstance(payload, dict) or not self._required <= payload.keys():
            return False
        for name, value in payload.items():
            look = self._looks.get(name)
            if look is not None and not look(value):
                return False
        return True


def _look_of(field: fields.Field[Any]) -> Look:
    is_optional = field.allow_none
    if type(field) is fields.Nested:
        inner = Glance(field.schema)
        return lambda value: (is_optional and value is None) or inner(value)
    taken = _TAKEN.get(type(field))
    if taken is None:
        return lambda value: False
    validators: Sequence[Callable[[Any], Any]] = field.validators

    def look(value: Any) -> bool:
        if value is None:
            return is_optional
        if not isinstance(value, taken):
            return False
        try:
            for validate in validators:
                validate(value)
        except ValidationError:
            return False
        return True

    return look
