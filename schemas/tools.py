"""Which tools pass, are dropped, renamed or refused, per surface."""

from typing import Any

from schemas.surfaces import Surface

_UNSUPPORTED = frozenset(
    {"file_search", "code_interpreter", "computer_use", "computer_use_preview"}
)
_IMAGE = frozenset({"image_generation"})

_RENAMED = {"web_search_preview": "web_search"}


class ToolPolicy:
    """Tool types by what happens to them; types named nowhere pass."""

    def __init__(self, *, dropped: frozenset[str], refused: frozenset[str]) -> None:
        self.dropped = dropped
        self.refused = refused
        self._named = dropped | refused | _RENAMED.keys()

    def leaves(self, tools: list[Any]) -> bool:
        """Whether nothing happens to any of these tools."""
        return self._named.isdisjoint(map(tool_type, tools))


# Codex advertises image generation whether or not the account may use it, so
# there it is dropped; a caller of the public API asked for it and is told.
_CODEX = ToolPolicy(dropped=_IMAGE, refused=_UNSUPPORTED)
_PUBLIC = ToolPolicy(dropped=frozenset(), refused=_UNSUPPORTED | _IMAGE)
_POLICIES = {surface: _CODEX if surface.is_codex else _PUBLIC for surface in Surface}


def policy_of(surface: Surface) -> ToolPolicy:
    return _POLICIES[surface]


def tool_type(tool: object) -> str | None:
    """The `type` of a tool, None for what is not a tool object."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind if isinstance(kind, str) else None


def without_dropped(tools: list[Any], policy: ToolPolicy) -> list[Any]:
    """The tools that stay; the same list when all of them do."""
    if any(tool_type(tool) in policy.dropped for tool in tools):
        return [tool for tool in tools if tool_type(tool) not in policy.dropped]
    return tools


def renamed(tool: Any) -> Any:
    """The tool, or tool choice, under today's type name; the same object if it is."""
    name = _RENAMED.get(tool_type(tool) or "")
    return tool if name is None else {**tool, "type": name}


def refused_type(tools: list[Any], policy: ToolPolicy) -> str | None:
    """The first tool type that the surface refuses."""
    if policy.leaves(tools):
        return None
    kinds = (tool_type(tool) for tool in tools)
    return next((kind for kind in kinds if kind in policy.refused), None)
