"""Decides what a request gets when no test has scripted an answer.

A directive in the last user message selects a scenario: `demo:tool(ls -la)`,
`demo:say(hello)`, `demo:usage_limit`; all of them are in `DIRECTIVES`.
"""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

from gateway.demo import faults
from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import JsonObject, ScriptedResponse
from gateway.demo.events import ScriptedTurn, rate_limits, usage
from gateway.demo.received import Received

_DIRECTIVE = re.compile(r"demo:([a-z0-9_]+)(?:\(([^)]*)\))?")
_SEALED = "fake-sealed:"  # prefix of what only one account can read, before base64
_OUTPUTS = {"function_call_output", "custom_tool_call_output", "tool_search_output"}
_SHELL_TOOLS = ("exec_command", "shell_command", "shell", "bash")


def default_answer(received: Received) -> ScriptedResponse:
    """The answer of a friendly upstream; deterministic but for ids and times."""
    payload = received.payload
    model = payload.get("model")
    turn = ScriptedTurn(model if isinstance(model, str) else "unknown")
    if received.route == "prewarm":
        return turn.completed(usage(100, 0)).answer()
    if foreign_items(received.history, received.account):
        return faults.foreign_content()
    last = received.history[-1] if received.history else {}
    if last.get("type") == "compaction_trigger":
        return turn.compaction(seal("summary", received.account)).completed().answer()
    prompt = last_user_text(received.history)
    if not _is_title_thread(payload):
        found = _DIRECTIVE.search(prompt)
        if found is not None and found[1] in DIRECTIVES:
            return DIRECTIVES[found[1]](received, turn, (found[2] or "").strip())
    return _plain(received, turn, prompt)


def _plain(received: Received, turn: ScriptedTurn, prompt: str) -> ScriptedResponse:
    payload = received.payload
    text_format = _dict(_dict(payload.get("text")).get("format"))
    last = received.history[-1] if received.history else {}
    choice, has_answered = payload.get("tool_choice"), last.get("type") in _OUTPUTS
    if not has_answered and (choice == "required" or isinstance(choice, dict)):
        return _call_tool(received, turn, "")
    if text_format.get("type") == "json_schema":
        value = sample(_dict(text_format.get("schema")))
        return turn.text(json.dumps(value)).completed().answer()
    if has_answered:
        return turn.text("The tool has answered; all done.").completed().answer()
    words = " ".join(prompt.split())[:200]
    text = f"Hello from the scripted upstream. You said: {words}"
    return turn.text(text).completed().answer()


def _call_tool(
    received: Received, turn: ScriptedTurn, argument: str
) -> ScriptedResponse:
    """Call a shell when the client offers one, else the first or chosen function."""
    command = argument or "echo hello-from-the-tool"
    tools = offered_tools(received)
    by_name = {str(tool.get("name")): tool for tool in tools}
    for shell in _SHELL_TOOLS:
        if shell in by_name:
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
    choice = received.payload.get("tool_choice")
    wanted = choice.get("name") if isinstance(choice, dict) else None
    for tool in tools:
        if tool.get("type") == "function" and wanted in (None, tool.get("name")):
            arguments = sample(_dict(tool.get("parameters")))
            turn.function_call(str(tool.get("name")), _dict(arguments))
            return turn.completed().answer()
    return turn.text("There is no tool that I could call.").completed().answer()


def _required(tool: JsonObject) -> JsonObject:
    """Arguments that a function's schema does not let out."""
    schema = _dict(tool.get("parameters"))
    arguments = _dict(sample(schema))
    return {
        key: arguments[key] for key in schema.get("required") or () if key in arguments
    }


def _tool(received: Received, turn: ScriptedTurn, argument: str) -> ScriptedResponse:
    """`tool(command)` calls once; `tool(3; command)` three times in a row."""
    count, separator, command = argument.partition(";")
    wanted, command = (_number(count), command) if separator else (1, argument)
    if _outputs_since_user(received.history) >= wanted:
        return turn.text("The tool has answered; all done.").completed().answer()
    return _call_tool(received, turn, command.strip())


def _long(received: Received, turn: ScriptedTurn, argument: str) -> ScriptedResponse:
    """`long(50)`: that many words, 20 ms apart."""
    turn.text(" ".join(f"word{n}" for n in range(int(_number(argument, 50)))))
    return faults.paced(turn.completed().answer(), 0.02)


def _reasoning(
    received: Received, turn: ScriptedTurn, argument: str
) -> ScriptedResponse:
    turn.reasoning("Thinking it over.", seal("thoughts", received.account))
    return turn.text(argument or "I have thought about it.").completed().answer()


def _fault(
    make: Callable[[], ScriptedResponse],
) -> Callable[[Received, ScriptedTurn, str], ScriptedResponse]:
    return lambda received, turn, argument: make()


DIRECTIVES: dict[str, Callable[[Received, ScriptedTurn, str], ScriptedResponse]] = {
    "say": lambda received, turn, text: turn.text(text).completed().answer(),
    "tool": _tool,
    "long": _long,
    "reasoning": _reasoning,
    "refusal": lambda received, turn, text: (
        turn.refusal(text or "I would rather not.").completed().answer()
    ),
    "incomplete": lambda received, turn, reason: (
        turn.text("Half an").incomplete(reason or "max_output_tokens").answer()
    ),
    "usage": lambda received, turn, tokens: (
        turn.text("That was a lot.").completed(usage(int(_number(tokens)))).answer()
    ),
    "pause": lambda received, turn, seconds: faults.with_silence(
        turn.text("Sorry for the wait.").completed().answer(), _number(seconds, 1)
    ),
    "failed": lambda received, turn, code: (
        turn.failed(code or "server_error", "The scripted upstream failed.").answer()
    ),
    "cut": lambda received, turn, text: faults.cut_after(
        turn.text("This answer never ends").answer(), 5
    ),
    "usage_limit": _fault(faults.usage_limit),
    "overloaded": _fault(faults.overloaded),
    "unavailable": _fault(faults.unavailable),
    "error": _fault(faults.server_error),
    "unauthorized": _fault(faults.unauthorized),
}


def with_limits(answer: ScriptedResponse, account: DemoAccount) -> ScriptedResponse:
    """On a socket the account's windows come as the first event of a turn."""
    if answer.status != 200 or answer.before:
        return answer
    limits = rate_limits(
        account.primary_percent, account.secondary_percent, account.plan
    )
    return ScriptedResponse((limits, *answer.steps), headers=answer.headers)


def last_user_text(history: list[JsonObject]) -> str:
    for item in reversed(history):
        if item.get("role") == "user":
            content = item.get("content")
            if isinstance(content, str):
                return content
            parts = content if isinstance(content, list) else []
            return " ".join(
                str(part.get("text") or "") for part in parts if isinstance(part, dict)
            )
    return ""


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


def seal(text: str, account: str | None) -> str:
    """Encrypted content as upstream would make it: of use to one account only."""
    owner = f"{_SEALED}{account}:{text}:{time.time_ns()}"
    return base64.urlsafe_b64encode(owner.encode()).decode()


def foreign_items(history: list[JsonObject], account: str | None) -> list[JsonObject]:
    """Items whose sealed content another account has made."""
    found = []
    for item in history:
        content = item.get("encrypted_content")
        if not isinstance(content, str):
            continue
        try:
            opened = base64.urlsafe_b64decode(content).decode()
        except ValueError:
            continue
        if opened.startswith(_SEALED) and not opened.startswith(f"{_SEALED}{account}:"):
            found.append(item)
    return found


def _outputs_since_user(history: list[JsonObject]) -> int:
    count = 0
    for item in reversed(history):
        if item.get("role") == "user":
            break
        count += item.get("type") in _OUTPUTS
    return count


def _number(text: str, default: float = 0) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _is_title_thread(payload: JsonObject) -> bool:
    return "thread_title" in str(payload.get("client_metadata", ""))


def _dict(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def sample(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """A value that satisfies a simple JSON schema.

    Knows $ref into the same document, anyOf, enum, const and the plain types.
    """
    root = root if root is not None else schema
    if "$ref" in schema:
        return sample(_resolve(str(schema["$ref"]), root), root)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return sample(schema[choice][0], root)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {name: sample(part, root) for name, part in properties.items()}
    if kind == "array":
        count = max(1, int(schema.get("minItems", 1)))
        return [sample(schema.get("items") or {}, root) for _ in range(count)]
    return _scalar(kind, schema)


def _scalar(kind: Any, schema: dict[str, Any]) -> Any:
    if kind in {"integer", "number"}:
        return schema.get("minimum", 7)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = "A scripted answer".ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part) if isinstance(found, dict) else None
    # A schema that refers to itself as a whole would never end.
    return found if isinstance(found, dict) and found is not root else {}
