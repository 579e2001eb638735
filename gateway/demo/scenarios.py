"""Decides what a request gets when no test has scripted an answer.

A directive in the last user message selects a scenario: `demo:tool(ls -la)`,
`demo:say(hello)`, `demo:usage_limit`; all of them are in `DIRECTIVES`.
"""

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.demo import faults
from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import JsonObject, ScriptedResponse
from gateway.demo.content.samples import wanted_text
from gateway.demo.content.tool_calls import (
    call_tool,
    has_answered,
    is_forced,
    outputs_since_user,
)
from gateway.demo.events import ScriptedTurn, rate_limits, usage
from gateway.demo.received import Received

_DIRECTIVE = re.compile(r"demo:([a-z0-9_]+)(?:\(([^)]*)\))?")
_SEALED = "fake-sealed:"  # prefix of what only one account can read, before base64
_TOOL_ANSWERED = "The tool has answered; all done."
# A demo whose accounts are all used up is of no use meanwhile.
LONGEST_LIMIT = 60.0  # seconds
# Codes of accounts that have no plan or balance: nobody says when that ends.
_LASTING = {"deactivated_workspace", "insufficient_quota"}


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
            return DIRECTIVES[found[1]].answer(received, turn, (found[2] or "").strip())
    return _plain(received, turn, prompt)


def _plain(received: Received, turn: ScriptedTurn, prompt: str) -> ScriptedResponse:
    if is_forced(received):
        return call_tool(received, turn, "")
    if (text := wanted_text(received.payload)) is not None:
        return turn.text(text).completed().answer()
    if has_answered(received):
        return turn.text(_TOOL_ANSWERED).completed().answer()
    words = " ".join(prompt.split())[:200]
    text = f"Hello from the scripted upstream. You said: {words}"
    return turn.text(text).completed().answer()


def _tool(received: Received, turn: ScriptedTurn, argument: str) -> ScriptedResponse:
    """`tool(command)` calls once; `tool(3; command)` three times in a row."""
    count, separator, command = argument.partition(";")
    wanted, command = (_number(count), command) if separator else (1, argument)
    if outputs_since_user(received.history) >= wanted:
        return turn.text(_TOOL_ANSWERED).completed().answer()
    return call_tool(received, turn, command.strip())


def _long(received: Received, turn: ScriptedTurn, argument: str) -> ScriptedResponse:
    """`long(50)`: that many words, 20 ms apart."""
    turn.text(" ".join(f"word{n}" for n in range(int(_number(argument, 50)))))
    return faults.paced(turn.completed().answer(), 0.02)


def _reasoning(
    received: Received, turn: ScriptedTurn, argument: str
) -> ScriptedResponse:
    turn.reasoning("Thinking it over.", seal("thoughts", received.account))
    return turn.text(argument or "I have thought about it.").completed().answer()


def _usage(received: Received, turn: ScriptedTurn, argument: str) -> ScriptedResponse:
    tokens = [int(_number(part)) for part in argument.split(";")[:3]]
    return turn.text("That was a lot.").completed(usage(*tokens)).answer()


def _failed(received: Received, turn: ScriptedTurn, argument: str) -> ScriptedResponse:
    code = argument or "server_error"
    if code in _LASTING:
        return (
            turn.text(f"{code} would take the account away for long.")
            .completed()
            .answer()
        )
    return turn.failed(code, "The scripted upstream failed.").answer()


@dataclass(frozen=True, slots=True)
class Directive:
    """What a prompt with `demo:NAME` in it gets; the example says how to write it."""

    example: str
    says: str
    answer: Callable[[Received, ScriptedTurn, str], ScriptedResponse]


def _fault(
    make: Callable[[], ScriptedResponse],
) -> Callable[[Received, ScriptedTurn, str], ScriptedResponse]:
    return lambda received, turn, argument: make()


DIRECTIVES: dict[str, Directive] = {
    "say": Directive(
        "say(hello)",
        "these words",
        lambda received, turn, text: turn.text(text).completed().answer(),
    ),
    "tool": Directive(
        "tool(3; ls)",
        "calls of a tool that the client offers, three in a row; a shell first",
        _tool,
    ),
    "long": Directive("long(50)", "so many words, 20 ms apart", _long),
    "reasoning": Directive(
        "reasoning(done)", "a summary of thoughts, then these words", _reasoning
    ),
    "refusal": Directive(
        "refusal(no)",
        "a refusal in these words",
        lambda received, turn, text: (
            turn.refusal(text or "I would rather not.").completed().answer()
        ),
    ),
    "incomplete": Directive(
        "incomplete(max_output_tokens)",
        "half an answer, and why",
        lambda received, turn, reason: (
            turn.text("Half an").incomplete(reason or "max_output_tokens").answer()
        ),
    ),
    "usage": Directive(
        "usage(50000; 800; 40000)",
        "an answer that says what it used: tokens of input, of output, and cached",
        _usage,
    ),
    "pause": Directive(
        "pause(5)",
        "so many seconds of silence after the first events",
        lambda received, turn, seconds: faults.with_silence(
            turn.text("Sorry for the wait.").completed().answer(), _number(seconds, 1)
        ),
    ),
    "failed": Directive(
        "failed(server_error)",
        "a turn that fails with this code",
        _failed,
    ),
    "cut": Directive(
        "cut",
        "a connection that breaks inside the answer",
        lambda received, turn, text: faults.cut_after(
            turn.text("This answer never ends").answer(), 5
        ),
    ),
    "usage_limit": Directive(
        "usage_limit(20)",
        f"429: the account's window is used up, for so many seconds, "
        f"{LONGEST_LIMIT:.0f} at most",
        lambda received, turn, seconds: faults.usage_limit(
            max(1.0, min(_number(seconds, LONGEST_LIMIT), LONGEST_LIMIT))
        ),
    ),
    "overloaded": Directive(
        "overloaded", "an error event before any output", _fault(faults.overloaded)
    ),
    "unavailable": Directive("unavailable", "503", _fault(faults.unavailable)),
    "error": Directive("error", "500", _fault(faults.server_error)),
    "unauthorized": Directive(
        "unauthorized", "401, as for a token that ended", _fault(faults.unauthorized)
    ),
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


def _number(text: str, default: float = 0) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _is_title_thread(payload: JsonObject) -> bool:
    return "thread_title" in str(payload.get("client_metadata", ""))
