"""A quick look at a payload: is it valid beyond doubt?

Nearly every request is, and finding out what is wrong with the others costs ten
times as much. The look is made from a schema's own fields, so it knows no rule that
is not there; whatever it is not sure of is for the schema to judge.
"""

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields

from schemas.fields import Flag

# What a field of exactly this class takes, before its validators.
_TAKEN: dict[type[fields.Field[Any]], type] = {
    Flag: bool,
    fields.Raw: object,
    fields.String: str,
}

# What a value must be, whether it may be None, and what else may refuse it.
FieldRule = tuple[type | tuple[()], bool, Sequence[Callable[[Any], Any]]]


class Glance:
    """Looks at what one schema's fields say; rules across fields are not in it."""

    def __init__(self, schema: Schema) -> None:
        loaded = schema.load_fields
        self._rules = {name: _rule_of(field) for name, field in loaded.items()}
        self._required = {name for name, field in loaded.items() if field.required}

    def __call__(self, payload: Any) -> bool:
        """True: every field is valid. False says nothing."""
        try:
            self.look(payload)
        except ValidationError:
            return False
        return True

    def look(self, payload: Any) -> None:
        """Raise ValidationError, for whatever reason, unless every field is valid."""
        if not isinstance(payload, dict) or not self._required <= payload.keys():
            raise ValidationError("Not plain.")
        for name, value in payload.items():
            rule = self._rules.get(name)
            if rule is None:
                continue
            taken, is_optional, checks = rule
            if value is None and is_optional:
                continue
            if value is None or not isinstance(value, taken):
                raise ValidationError("Not plain.")
            for check in checks:
                check(value)


def _rule_of(field: fields.Field[Any]) -> FieldRule:
    if type(field) is fields.Nested:
        return object, field.allow_none, (Glance(field.schema).look,)
    taken = _TAKEN.get(type(field))
    if taken is None:
        return (), False, ()
    return taken, field.allow_none, field.validators
