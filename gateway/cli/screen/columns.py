"""What a table for people shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """One of a table; `styles` are colours by what a cell says, "" anything else."""

    name: str
    is_number: bool = False  # set to the right, and never cut
    is_whole: bool = False  # never cut either
    is_extra: bool = False  # where there is room for it
    is_share: bool = False  # of something that ends: the more, the worse
    least: int = 0  # characters, of what may come later
    styles: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").upper()

    def style_of(self, words: str) -> str:
        if self.is_share and words.endswith(" %"):
            share = float(words[:-2])
            return "red" if share >= 95 else "yellow" if share >= 80 else ""
        return self.styles.get(words, self.styles.get("", ""))


def columns(
    names: str,
    numbers: str = "",
    whole: str = "time id",
    extra: str = "",
    shares: str = "",
    least: int = 0,
    **styles: Mapping[str, str],
) -> list[Column]:
    """Columns by their names; each text has names of one sort."""
    return [
        Column(
            name,
            is_number=name in numbers.split(),
            is_whole=name in whole.split(),
            is_extra=name in extra.split(),
            is_share=name in shares.split(),
            least=0 if name in f"{numbers} {whole}".split() else least,
            styles=styles.get(name, {}),
        )
        for name in names.split()
    ]
