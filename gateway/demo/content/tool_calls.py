"""Calls of the tools that a request offers, the chosen one first."""

import json

from gateway.demo.answers import JsonObject, ScriptedResponse
from gateway.demo.content.samples import as_object, sample
from gateway.demo.events import ScriptedTurn
from gateway.demo.received import Received

OUTPUTS = {"function_call_output", "custom_tool_call_output", "tool_search_output"}
_COMMAND = "echo hello-from-the-tool"
_SHELL_TOOLS = ("exec_command", "shell_command", "shell", "bash")


def is_forced(received: Received) -> bool:
    """Whether the answer has to be a call: required, or a tool named."""
    choice = received.payload.get("tool_choice")
    mode = choice.get("mode", "required") if isinstance(choice, dict) else choice
    return mode == "required" and not has_answered(received)


def has_answered(received: Received) -> bool:
    """Whether the request ends with a tool's output."""
    return bool(received.history) and received.history[-1].get("type") in OUTPUTS


def call_tool(received: Received, turn: ScriptedTurn, command: str) -> ScriptedResponse:
    """Call a shell when the client offers one, else the first tool it may be."""
    command = command or _COMMAND
    tools = _permitted(received)
    by_name = {str(tool.get("name")): tool for tool in tools}
    for shell in _SHELL_TOOLS:
        if shell in by_name and by_name[shell].get("type") == "function":
            key = "cmd" if shell == "exec_command" else "command"
            arguments = _required(by_name[shell]) | {key: command}
            return turn.function_call(shell, arguments).completed().answer()
    for tool in tools:
        if tool.get("type") == "custom" and tool.get("name") == "exec":
            script = (
                f"const r = await tools.exec_command({{cmd: {json.dumps(command)}}});"
                " text(JSON.stringify(r));"
            )
            return turn.custom_call("exec", script).completed().answer()
    for tool in tools:
        name = str(tool.get("name"))
        if tool.get("type") == "function":
            arguments = as_object(sample(tool.get("parameters")))
            return turn.function_call(name, arguments).completed().answer()
        if tool.get("type") == "custom":
            return turn.custom_call(name, command).completed().answer()
    return turn.text("There is no tool that I could call.").completed().answer()


def outputs_since_user(history: list[JsonObject]) -> int:
    count = 0
    for item in reversed(history):
        if item.get("role") == "user":
            break
        count += item.get("type") in OUTPUTS
    return count


def _permitted(received: Received) -> list[JsonObject]:
    """The offered tools that `tool_choice` leaves."""
    choice, tools = received.payload.get("tool_choice"), offered_tools(received)
    if not isinstance(choice, dict):
        return tools
    chosen = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    names = {as_object(one).get("name") for one in chosen or ()} - {None}
    return [tool for tool in tools if tool.get("name") in names] if names else tools


def offered_tools(received: Received) -> list[JsonObject]:
    """Tools at the top level and inside `additional_tools`, namespaces unfolded."""
    lists = [received.payload.get("tools")]
    lists += [
        item.get("tools")
        for item in received.history
        if item.get("type") == "additional_tools"
    ]
    found: list[JsonObject] = []
    for tools in lists:
        for tool in tools if isinstance(tools, list) else []:
            if isinstance(tool, dict):
                found += tool.get("tools") or [tool]
    return found


def _required(tool: JsonObject) -> JsonObject:
    """Arguments that a function's schema does not let out."""
    schema = as_object(tool.get("parameters"))
    arguments = as_object(sample(schema))
    return {
        key: arguments[key] for key in schema.get("required") or () if key in arguments
    }
