"""Answers that go wrong, each the way a real upstream does."""

import time
from typing import Any

from gateway.demo.answers import Cut, JsonObject, ScriptedResponse, Step
from gateway.demo.events import ScriptedTurn


def error_response(
    status: int,
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> ScriptedResponse:
    """An error envelope; an error frame with this status on a socket."""
    error: JsonObject = {"type": code, "code": code, "message": message, **more}
    return ScriptedResponse.json({"error": error}, status, headers)


def usage_limit(resets_in: float = 3600, plan: str = "plus") -> ScriptedResponse:
    return error_response(
        429,
        "usage_limit_reached",
        "The usage limit has been reached",
        plan_type=plan,
        resets_at=int(time.time() + resets_in),
        resets_in_seconds=int(resets_in),
    )


def unauthorized(code: str = "token_expired") -> ScriptedResponse:
    return error_response(401, code, "Your authentication token is no longer valid.")


def server_error() -> ScriptedResponse:
    return error_response(500, "server_error", "The scripted upstream broke.")


def unavailable(retry_after: float | None = None) -> ScriptedResponse:
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return error_response(503, "service_unavailable", "Try later.", headers)


def overloaded(model: str = "gpt-5.5") -> ScriptedResponse:
    """Status 200, then an error event before any output."""
    turn = ScriptedTurn(model)
    turn.event(
        {
            "type": "error",
            "status": 503,
            "error": {
                "type": "service_unavailable_error",
                "code": "server_is_overloaded",
                "message": "Our servers are currently overloaded.",
            },
        }
    )
    return turn.answer()


def foreign_content() -> ScriptedResponse:
    return error_response(
        400,
        "invalid_encrypted_content",
        "The encrypted content could not be verified.",
        param="input",
    )


def previous_response_not_found(response_id: str) -> ScriptedResponse:
    return error_response(
        400,
        "previous_response_not_found",
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
    )


def cut_after(
    answer: ScriptedResponse, events: int, how: Cut = Cut.RESET
) -> ScriptedResponse:
    """The first so many events, then the connection is gone."""
    return ScriptedResponse((*answer.steps[:events], how), headers=answer.headers)


def with_silence(
    answer: ScriptedResponse, seconds: float, after: int = 2
) -> ScriptedResponse:
    """A pause after the first so many events."""
    steps: tuple[Step, ...] = (*answer.steps[:after], seconds, *answer.steps[after:])
    return ScriptedResponse(steps, headers=answer.headers)


def paced(answer: ScriptedResponse, seconds: float) -> ScriptedResponse:
    """A pause after every event."""
    steps: list[Step] = []
    for step in answer.steps:
        steps += [step, seconds]
    return ScriptedResponse.of(steps, headers=answer.headers)
