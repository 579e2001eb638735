"""Marshmallow fields that are stricter than marshmallow's own."""

from typing import Any

from marshmallow import ValidationError, fields


class Flag(fields.Field[bool]):
    """true or false; marshmallow's Boolean would accept "on" and 1, too."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value
