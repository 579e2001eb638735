"""Tool policy: which tool types pass, are dropped, renamed or refused, per surface."""

from typing import Any

from schemas.surfaces import Surface

_UNSUPPORTED = frozenset(
    {"file_search", "code_interpreter", "computer_use", "computer_use_preview"}
)
_IMAGE = frozenset({"image_generation"})

_RENAMED = {"web_search_preview": "web_search"}


class ToolPolicy:
    """What one surface does with each tool type; types named nowhere pass."""

    def __init__(self, *, dropped: frozenset[str], refused: frozenset[str]) -> None:
        self.dropped = dropped
        self.refused = refused
        self._named = dropped | refused | _RENAMED.keys()

    def passes(self, tools: list[Any]) -> bool:
        """Whether all of the tools go upstream as they are."""
        return self._named.isdisjoint(map(tool_type, tools))

    def apply(self, tools: list[Any]) -> tuple[list[Any], list[str]]:
        """Drop and rename tools; the same list when none of them needs it."""
        if self.passes(tools):
            return tools, []
        changes = []
        kept = [tool for tool in tools if tool_type(tool) not in self.dropped]
        if len(kept) < len(tools):
            changes.append("image_generation tool dropped")
        current = [rename_tool(tool) for tool in kept]
        if any(new is not old for new, old in zip(current, kept, strict=True)):
            changes.append("web_search_preview tool renamed")
        return current, changes

    def first_refused(self, tools: list[Any]) -> tuple[int, str] | None:
        """Place and type of the first tool that the surface refuses."""
        if self.passes(tools):
            return None
        for index, kind in enumerate(map(tool_type, tools)):
            if kind in self.refused:
                return index, str(kind)
        return None


# Codex advertises image generation whether or not the account may use it, so it is
# dropped there; a caller of the public API asked for it and gets an error.
_CODEX = ToolPolicy(dropped=_IMAGE, refused=_UNSUPPORTED)
_PUBLIC = ToolPolicy(dropped=frozenset(), refused=_UNSUPPORTED | _IMAGE)
TOOL_POLICIES = {
    surface: _CODEX if surface.is_codex else _PUBLIC for surface in Surface
}


def tool_type(tool: object) -> str | None:
    """The `type` of a tool, None for what is not a tool object."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind if isinstance(kind, str) else None


def rename_tool(tool: Any) -> Any:
    """The tool, or tool choice, under its current type; the same object if it is."""
    name = _RENAMED.get(tool_type(tool) or "")
    return tool if name is None else {**tool, "type": name}
