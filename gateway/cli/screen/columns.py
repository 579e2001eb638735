"""What a table for people shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """One of a table; `styles` are colours by what a cell says."""

    name: str
    is_number: bool = False
    least: int | None = None  # characters that are worth showing
    styles: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").upper()


def columns(names: str, numbers: str = "", **styles: Mapping[str, str]) -> list[Column]:
    """Columns by their names in one text; `numbers` are set to the right."""
    right = numbers.split()
    return [
        Column(name, name in right, styles=styles.get(name, {}))
        for name in names.split()
    ]
