"""Tool policy: which tool types pass, are stripped, renamed or refused.

A table of rules by surface and kind of account: defaults, the owner's, and a key's.
"""

from collections.abc import Mapping, Set
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal, NamedTuple, Protocol

from marshmallow import ValidationError

from schemas.reasons import Problem
from schemas.surfaces import Surface

KindOfAccount = Literal["chatgpt", "api_key"]
KINDS_OF_ACCOUNT: tuple[KindOfAccount, ...] = ("chatgpt", "api_key")
_OTHERS = {"chatgpt": "an account with an API key", "api_key": "a ChatGPT account"}

_TYPE = itemgetter("type")
_RENAMED = {"web_search_preview": "web_search"}

# Of the Responses API and of Codex (platform.openai.com, November 2026).
KNOWN_TYPES = frozenset(
    {
        "apply_patch",
        "computer",
        "custom",
        "function",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
# Of a request's other types so many are noted, and so much of each.
MOST_SHAPES = 8
LONGEST_SHAPE = 64


class TypeRule(Protocol):
    """What becomes of a type of tool; None: on every surface, with every account."""

    @property
    def action(self) -> str: ...
    @property
    def type(self) -> str: ...  # a glob
    @property
    def surface(self) -> str | None: ...
    @property
    def accounts(self) -> str | None: ...


class DefaultRule(NamedTuple):
    action: str
    type: str
    surface: str | None = None
    accounts: str | None = None


# Codex advertises image generation whether or not the account may use it, so it is
# stripped there; a caller of the public API asked for it and gets an error.
DEFAULT_RULES = (
    DefaultRule("strip", "image_generation", surface="codex"),
    DefaultRule("refuse", "image_generation", surface="v1"),
    DefaultRule("refuse", "file_search"),
    DefaultRule("refuse", "code_interpreter"),
    DefaultRule("refuse", "computer_use"),
    DefaultRule("refuse", "computer_use_preview"),
)


class _Taken(NamedTuple):
    """What is done with some types of tools: those of each action, by account."""

    strip: Mapping[KindOfAccount, Set[str]]
    refuse: Mapping[KindOfAccount, Set[str]]
    is_renamed: bool  # one of them
    new_shapes: tuple[str, ...]


# Clients name the types, the same few in all of their requests: so many sets of them
# are remembered, of so many characters.
_MOST_KNOWN = 256
_LONGEST_KNOWN = 1_000


class ToolPolicy:
    """What one surface does with each tool type; types that no rule names pass."""

    def __init__(self, surface: Surface, rules: tuple[TypeRule, ...] = ()) -> None:
        """`rules` go before the defaults, the last that matches before all others."""
        own = "codex" if surface.is_codex else "v1"
        self._rules: list[TypeRule] = [
            rule
            for rule in reversed((*DEFAULT_RULES, *rules))
            if rule.surface in (None, own)
        ]
        self._known: dict[Set[object], _Taken] = {}

    def names(self, kind: str | None) -> bool:
        """Whether any rule is about a type."""
        return any(fnmatchcase(kind or "", rule.type) for rule in self._rules)

    def action(self, kind: str, account: KindOfAccount) -> str:
        """By the last rule that matches, an owner's before the defaults."""
        for rule in self._rules:
            if rule.accounts in (None, account) and fnmatchcase(kind, rule.type):
                return rule.action
        return "pass"

    def _taken(self, tools: list[Any]) -> _Taken:
        kinds = _types_among(tools)
        known = self._known.get(kinds)
        if known is None:
            known = self._judge(kinds)
            if sum(len(str(kind)) for kind in kinds) <= _LONGEST_KNOWN:
                self._known[kinds] = known
                if len(self._known) > _MOST_KNOWN:
                    del self._known[next(iter(self._known))]
        return known

    def _judge(self, types: Set[object]) -> _Taken:
        kinds = {kind for kind in types if isinstance(kind, str)}
        named = set(filter(self.names, kinds))
        actions = {
            (account, kind): self.action(kind, account)
            for account in KINDS_OF_ACCOUNT
            for kind in named
        }

        def of(action: str) -> dict[KindOfAccount, Set[str]]:
            """The types with which it is taken, by account."""
            return {
                account: {kind for kind in named if actions[account, kind] == action}
                for account in KINDS_OF_ACCOUNT
            }

        unknown = sorted(kinds - KNOWN_TYPES - named)[:MOST_SHAPES]
        shapes = tuple(kind[:LONGEST_SHAPE] for kind in unknown)
        is_renamed = not _RENAMED.keys().isdisjoint(kinds)
        return _Taken(of("strip"), of("refuse"), is_renamed, shapes)

    def apply(self, tools: list[Any]) -> tuple[list[Any], list[str]]:
        """Rename tools, and strip what no account gets; the same list if none is."""
        taken, renamed = self._taken(tools), []
        if taken.is_renamed:
            tools = list(map(rename_tool, tools))
            taken = self._taken(tools)
            renamed.append("web_search_preview tool renamed")
        kept, changes = _without(tools, taken.strip["chatgpt"] & taken.strip["api_key"])
        return kept, changes + renamed

    def strip_for(
        self, account: KindOfAccount, payload: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """The payload without the tools that this kind of account does not get."""
        tools = payload.get("tools")
        if not isinstance(tools, list):
            return payload, []
        types = self._taken(tools).strip[account]
        if not types:
            return payload, []
        kept, changes = _without(tools, types)
        return {**payload, "tools": kept}, changes

    def new_shapes(self, tools: Any) -> tuple[str, ...]:
        """Types that neither the API nor a rule has, the first few: they pass."""
        if not isinstance(tools, list):
            return ()
        return self._taken(tools).new_shapes

    def check(self, tools: list[Any]) -> None:
        """Raise ValidationError for a tool that is refused whatever the account."""
        refused = self._taken(tools).refuse
        first = _first(tools, refused["chatgpt"] & refused["api_key"])
        if first is not None:
            index, kind = first
            raise ValidationError(
                f"tools[{index}].type {kind} is not available here", "tools"
            )

    def problems(self, tools: Any) -> Mapping[KindOfAccount, Problem]:
        """What is refused with one kind of account, by that kind."""
        if not isinstance(tools, list):
            return {}
        found = {}
        for account, types in self._taken(tools).refuse.items():
            first = _first(tools, types) if types else None
            if first is not None:
                text = f"tools[{first[0]}].type {first[1]} needs {_OTHERS[account]}"
                found[account] = Problem(("tools",), text)
        return found


@lru_cache(maxsize=1024)
def tool_policy(surface: Surface, rules: tuple[TypeRule, ...] = ()) -> ToolPolicy:
    """The policy of a surface under an owner's rules and a key's."""
    return ToolPolicy(surface, rules)


def _types_among(tools: list[Any]) -> frozenset[object]:
    """The types of the tools: a dozen for the hundreds that a client may send."""
    try:
        return frozenset(map(_TYPE, tools))  # nearly always possible
    except (TypeError, KeyError):
        return frozenset(map(tool_type, tools))


def _without(tools: list[Any], types: Set[str]) -> tuple[list[Any], list[str]]:
    """The tools of other types; the same list when there are no others."""
    if not types:
        return tools, []
    kept = [tool for tool in tools if tool_type(tool) not in types]
    return kept, [f"{kind} tool dropped" for kind in sorted(types)]


def _first(tools: list[Any], types: Set[str]) -> tuple[int, str] | None:
    kinds = enumerate(map(tool_type, tools)) if types else ()
    return next(((at, kind) for at, kind in kinds if kind and kind in types), None)


def tool_type(tool: object) -> str | None:
    """The `type` of a tool, None for what is not a tool object."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind if isinstance(kind, str) else None


def rename_tool(tool: Any) -> Any:
    """The tool under its current type; the same object if it is."""
    name = _RENAMED.get(tool_type(tool) or "")
    return tool if name is None else {**tool, "type": name}


def rename_choice(choice: Any) -> Any:
    """The tool choice, and those that it allows, under their current types."""
    allowed = choice.get("tools") if isinstance(choice, dict) else None
    if not isinstance(allowed, list):
        return rename_tool(choice)
    current = list(map(rename_tool, allowed))
    return {**choice, "tools": current} if current != allowed else choice
