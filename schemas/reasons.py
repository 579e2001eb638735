"""What is wrong with a payload: the field to name, and the rule it breaks in words.

The words are made of names of fields and types and of positions, never of a value:
that could be a secret, and they are logged.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

from schemas.fields import LONGEST_MODEL

# The fields an error names first, whatever their order in the request.
_NAMED_FIRST = ("model", "instructions", "input", "messages", "tools")

# Marshmallow's own messages, as something said of a field.
_WORDS = {
    "Missing data for required field.": "is required",
    "Field may not be null.": "may not be null",
    "Not a valid string.": "must be a string",
    "Not a valid boolean.": "must be true or false",
    "Invalid input type.": "must be an object",
    "Shorter than minimum length 1.": "may not be empty",
    f"Longer than maximum length {LONGEST_MODEL}.": (
        f"may not have more than {LONGEST_MODEL} characters"
    ),
    "Must be equal to False.": "must be false",
}
_SAID_OF_A_FIELD = re.compile(r"(?:must|may|is|needs|cannot) ")


class Problem(NamedTuple):
    """The first mistake; `path` is empty when a rule spans the payload."""

    path: tuple[str, ...]
    text: str

    @property
    def param(self) -> str | None:
        """The dotted path of the field."""
        return ".".join(self.path) or None

    @property
    def reason(self) -> str:
        """The place and the rule. A text that begins with its field has a place."""
        words = _WORDS.get(self.text) or _as_clause(self.text)
        if not self.path or re.match(rf"{re.escape(self.path[0])}[.[]", words):
            return words
        first, *below = self.path
        place = first + "".join(
            f"[{name}]" if name.isdigit() else f".{name}" for name in below
        )
        separator = " " if _SAID_OF_A_FIELD.match(words) else ": "
        return f"{place}{separator}{words}"


def first_problem(error: ValidationError) -> Problem:
    """The mistake to tell of.

    Model, instructions, input and tools go first, the rest as they stand in the
    request.
    """
    errors = error.normalized_messages()  # type: ignore[no-untyped-call]
    sent = list(error.data) if isinstance(error.data, Mapping) else []
    order = [*_NAMED_FIRST, *sent, *errors]
    named = [name for name in errors if name != SCHEMA]
    if not named:
        return Problem((), _within(errors)[-1])
    name = min(named, key=order.index)
    *below, text = _within(errors[name])
    return Problem((name, *below), text)


def _within(errors: Any) -> list[str]:
    """The way to the first error below a field, and its text."""
    if isinstance(errors, list):  # a validator's own dict comes wrapped in one
        errors = errors[0]
    if not isinstance(errors, Mapping):
        return [str(errors)]
    if SCHEMA in errors:
        return _within(errors[SCHEMA])
    name, below = next(iter(errors.items()))
    return [str(name), *_within(below)]


def _as_clause(text: str) -> str:
    """A sentence as what follows a colon."""
    return text[:1].lower() + text[1:].rstrip(".")
