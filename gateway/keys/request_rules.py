"""RequestRules: what an owner sets for requests, for everybody or for one key."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

ToolAction = Literal["pass", "strip", "refuse"]

_TOOL_RULE = re.compile(
    r"(?P<action>pass|strip|refuse)\s+(?P<type>[\w.*-]{1,64})"
    r"(?:\s+surface=(?P<surface>codex|v1))?"
    r"(?:\s+accounts=(?P<accounts>chatgpt|api_key))?",
    re.ASCII,
)
# A catalogue's names are of these characters, and no longer.
_NAME = r"[A-Za-z0-9_.:/-]{1,64}"
_ALIAS = re.compile(rf"(?P<name>{_NAME}) *= *(?P<model>{_NAME})")


@dataclass(frozen=True, slots=True)
class ToolRule:
    """What becomes of a type of tool; None: on every surface, with every account."""

    action: ToolAction
    type: str  # may end or begin with `*`, as in `computer_use*`
    surface: str | None = None
    accounts: str | None = None

    def __str__(self) -> str:
        """The text `parse_tool_rule` reads."""
        where = (("surface", self.surface), ("accounts", self.accounts))
        told = [f"{name}={value}" for name, value in where if value is not None]
        return " ".join([self.action, self.type, *told])


@dataclass(frozen=True, slots=True)
class ModelAlias:
    """Another name for a model that there is."""

    name: str
    model: str

    def __str__(self) -> str:
        """The text `parse_alias` reads."""
        return f"{self.name}={self.model}"


@dataclass(frozen=True, slots=True)
class RequestRules:
    """The last rule that matches decides, a key's after everybody's."""

    tools: tuple[ToolRule, ...] = ()
    aliases: tuple[ModelAlias, ...] = ()

    def with_those_of(self, key: "RequestRules") -> "RequestRules":
        """Both together, where a key's go first."""
        if not (key.tools or key.aliases):
            return self
        return RequestRules(self.tools + key.tools, self.aliases + key.aliases)

    @property
    def models(self) -> dict[str, str]:
        """The models that aliases stand for, by alias."""
        return {alias.name: alias.model for alias in self.aliases}


NO_RULES = RequestRules()


def parse_tool_rule(text: str) -> ToolRule:
    """Read "refuse code_interpreter" or "pass file_search surface=v1 accounts=api_key".

    Raises ValueError.
    """
    match = _TOOL_RULE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"tool rule {text!r}: write pass|strip|refuse TYPE [surface=codex|v1] "
            "[accounts=chatgpt|api_key], as in 'pass file_search accounts=api_key'"
        )
    return ToolRule(**cast("dict[str, Any]", match.groupdict()))


def parse_alias(text: str) -> ModelAlias:
    """Read "gpt-5.4-nano=gpt-5.4-mini". Raises ValueError."""
    match = _ALIAS.fullmatch(text.strip())
    if match is None or match["name"] == match["model"]:
        raise ValueError(
            f"alias {text!r}: write NAME=MODEL, as in 'gpt-5.4-nano=gpt-5.4-mini'"
        )
    return ModelAlias(match["name"], match["model"])


def parse_rules(tools: Iterable[str], aliases: Iterable[str]) -> RequestRules:
    """What is stored. Raises ValueError."""
    return RequestRules(
        tuple(map(parse_tool_rule, tools)), tuple(map(parse_alias, aliases))
    )


def check_aliases(texts: Iterable[str], others: Iterable[ModelAlias] = ()) -> None:
    """Raises ValueError for a name that is given twice, or stands for another alias.

    `others` hold beside them: everybody's, or those of keys.
    """
    found = list(map(parse_alias, texts))
    names = [alias.name for alias in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"alias '{name}' is given twice")
    beside = list(others)
    known = {*names, *(alias.name for alias in beside)}
    chained = [alias for alias in found if alias.model in known]
    chained += [alias for alias in beside if alias.model in names]
    if chained:
        first = chained[0]
        raise ValueError(f"'{first.model}' is an alias, and '{first}' one of it")
