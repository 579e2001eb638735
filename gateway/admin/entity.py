"""How an operator's entity is described: its fields, their types and bounds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.admin.errors import Unacceptable


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `many` makes it a list of its type, `default` is for an absent one.

    `help` is the command line's, `column` the table's where its name differs.
    """

    name: str
    type: "type | Entity" = str
    many: bool = False
    nullable: bool = False
    required: bool = False
    default: Any = ...
    bounds: tuple[int | None, int] | None = None  # a number's, or a text's length's
    most: int | None = None  # elements of a list
    choices: tuple[str, ...] = ()
    description: str = ""
    help: str = ""
    column: str = ""
    is_query: bool = False  # comes as text, whatever its type
    is_secret: bool = False  # never sent out

    def in_answer(self, *, nullable: bool | None = None) -> "Field":
        """The field in an answer, where its bounds need no mention."""
        is_null = self.nullable if nullable is None else nullable
        return Field(self.name, self.type, self.many, is_null, column=self.column)

    def check_bounds(self, number: int) -> int:
        """The number, for callers that no schema has checked. Raises Unacceptable."""
        assert self.bounds is not None
        low, high = self.bounds
        if not (low is None or low <= number) or number > high:
            words = f"{self.name}: {self.out_of_range(number)}"
            raise Unacceptable(words, param=self.name)
        return number

    def out_of_range(self, number: object) -> str:
        """What is said of a number that its bounds leave out."""
        assert self.bounds is not None
        low, high = self.bounds
        words = f"{number} is out of range: {low} to {high}"
        if self.nullable:  # 0 never means that there is no limit
            words += "; to take the rule away give null, in a command ''"
        return words


@dataclass(frozen=True, slots=True)
class Entity:
    """What an answer, a body or a query holds."""

    name: str
    fields: tuple[Field, ...]

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    def shown(self, source: object, **told: Any) -> dict[str, Any]:
        """The fields' values: as told, else as the source's attributes have them.

        What neither of them has is left out.
        """
        found = {
            field.name: told.get(
                field.name, getattr(source, field.column or field.name, ...)
            )
            for field in self.fields
        }
        return {name: value for name, value in found.items() if value is not ...}


def entity(name: str, *fields: Field) -> Entity:
    return Entity(name, fields)


def similar_fields(names: str, type: type = str, **same: Any) -> Iterator[Field]:
    """Fields that differ in their names only."""
    return (Field(name, type, **same) for name in names.split())


# In the answer to a change.
CHANGES = (
    Field("before", dict, description="what a change made different, as it was"),
    Field("after", dict, description="the same, as it is now"),
)


@dataclass(frozen=True, slots=True)
class Changed:
    """Whom a change was made to, and what of it is different now."""

    name: str
    before: dict[str, Any]
    after: dict[str, Any]

    @classmethod
    def between(cls, name: str, old: dict[str, Any], new: dict[str, Any]) -> "Changed":
        """Of all that is shown, what is not the same before and after."""
        names = [one for one in old | new if old.get(one) != new.get(one)]
        before = {one: old.get(one) for one in names}
        return cls(name, before, {one: new.get(one) for one in names})

    def shown(self) -> dict[str, Any]:
        """The fields `CHANGES` of an answer."""
        return {"before": self.before, "after": self.after}
