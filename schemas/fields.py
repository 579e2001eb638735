"""A field that holds true or false and nothing like them."""

from typing import Any

from marshmallow import ValidationError, fields


class Flag(fields.Field[bool]):
    """true or false; marshmallow's own would take "on" and 1, too."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value
