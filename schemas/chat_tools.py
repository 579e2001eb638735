"""Tools and choices of tools in the vocabulary of chat, as Responses tools."""

from collections.abc import Mapping
from typing import Any

from schemas.policy.tools import ToolPolicy, rename_tool, tool_type

# What a frame of chat holds of its tool.
_FRAMED_FIELDS = {
    "function": ("name", "description", "parameters", "strict"),
    "custom": ("name", "description", "format"),
}


def map_tools(
    request: Mapping[str, Any], payload: dict[str, Any], policy: ToolPolicy
) -> None:
    """Put a chat request's tools, or its deprecated functions, into the payload.

    Frames are taken off; functions and custom tools without a name mean nothing
    upstream, and are left out. Raises ValidationError for refused ones.
    """
    tools, choice = request.get("tools"), request.get("tool_choice")
    policy.check(tools or [])
    if uses_functions(request):
        tools = [{"type": "function", "function": one} for one in request["functions"]]
        choice = _choice_of_function(request.get("function_call"))
        if payload.get("parallel_tool_calls") is None:
            payload["parallel_tool_calls"] = False  # there is room for one call
    search = request.get("web_search_options")
    if search is not None and "web_search" not in map(_current_type, tools or ()):
        tools = [*(tools or ()), _search_tool(search)]
    if tools is not None:
        payload["tools"] = list(filter(_is_usable, map(_flat_tool, tools)))
    if choice is not None:
        payload["tool_choice"] = _flat_choice(choice)


def _search_tool(options: Mapping[str, Any]) -> dict[str, Any]:
    """The tool that a chat's options of a search stand for."""
    location = options.get("user_location")
    place = location.get("approximate") if isinstance(location, dict) else None
    if isinstance(location, dict) and isinstance(place, dict):
        kept = {key: location[key] for key in location if key != "approximate"}
        options = {**options, "user_location": kept | place}
    return {"type": "web_search", **options}


def _current_type(tool: Any) -> str | None:
    return tool_type(rename_tool(tool))


def uses_functions(request: Mapping[str, Any]) -> bool:
    """Whether a chat request speaks of functions, as before there were tools."""
    return bool(request.get("functions"))


def _choice_of_function(choice: Any) -> Any:
    return {"type": "function", **choice} if isinstance(choice, dict) else choice


def _flat_tool(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    flat = _without_frame(tool)
    match tool_type(flat):
        case "function":
            # Absent it means false in chat completions, and true in responses.
            strict = flat.get("strict")
            return {**flat, "strict": False if strict is None else strict}
        case "custom":
            return _with_flat_format(flat)
    return flat


def _without_frame(tool: dict[str, Any]) -> dict[str, Any]:
    """The tool or choice with what its frame holds beside its type."""
    for frame, names in _FRAMED_FIELDS.items():
        held = tool.get(frame)
        if isinstance(held, dict):
            kept = {key: tool[key] for key in tool if key != frame}
            return kept | {key: held[key] for key in names if key in held}
    return tool


def _with_flat_format(tool: dict[str, Any]) -> dict[str, Any]:
    format = tool.get("format")
    grammar = format.get("grammar") if isinstance(format, dict) else None
    if not isinstance(format, dict) or not isinstance(grammar, dict):
        return tool
    kept = {key: format[key] for key in format if key != "grammar"}
    return {**tool, "format": kept | grammar}


def _flat_choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    allowed = choice.get("allowed_tools")
    if isinstance(allowed, dict):
        kept = {key: choice[key] for key in choice if key != "allowed_tools"}
        choice = kept | allowed
    if tool_type(choice) == "allowed_tools" and isinstance(choice.get("tools"), list):
        return {**choice, "tools": [_flat_reference(one) for one in choice["tools"]]}
    return _flat_reference(choice)


def _flat_reference(choice: Any) -> Any:
    """A tool that is only named: a choice holds no more of it than type and name."""
    frame = tool_type(choice)
    held = choice.get(frame) if frame in _FRAMED_FIELDS else None
    if isinstance(held, dict):
        return {"type": frame, "name": held.get("name")}
    return rename_tool(choice)


def has_nameless(tools: Any) -> bool:
    """Whether `map_tools` leaves some out."""
    return not all(_is_usable(_flat_tool(tool)) for tool in tools or ())


def _is_usable(tool: Any) -> bool:
    if tool_type(tool) not in (None, *_FRAMED_FIELDS):
        return True
    name = tool.get("name") if isinstance(tool, dict) else None
    return isinstance(name, str) and bool(name)
