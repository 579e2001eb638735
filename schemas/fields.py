"""Marshmallow fields that are stricter than marshmallow's own."""

from typing import Any

from marshmallow import ValidationError, fields, validate

# Names are remembered, and a client could make a hundred megabytes of each: the longest
# that are in use are paths of model files.
LONGEST_MODEL = 256


def model_name() -> fields.String:
    """The model of a request."""
    lengths = [validate.Length(min=1), validate.Length(max=LONGEST_MODEL)]
    return fields.String(required=True, validate=lengths)


class Flag(fields.Field[bool]):
    """true or false; marshmallow's Boolean would accept "on" and 1, too."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value
