"""What a real upstream refuses of a turn: facts of its own, not the gateway's rules.

A wrong rule of the gateway would not be noticed by an upstream that shares its table.
"""

from collections.abc import Iterator
from typing import Any

from gateway.demo.answers import JsonObject, ScriptedResponse
from gateway.demo.faults import error_response
from gateway.demo.received import Received, items_of

# All that Codex 0.169 and 0.171 send, over HTTP and in frames. Of everything else the
# ChatGPT backend says "Unsupported parameter", be it known to the public API or not.
_CODEX = {
    "client_metadata", "include", "input", "instructions", "model",
    "parallel_tool_calls", "prompt_cache_key", "reasoning", "service_tier", "store",
    "stream", "text", "tool_choice", "tools",
}  # fmt: skip
_OF_FRAMES = {"type", "generate", "previous_response_id"}
# The body of POST /responses in OpenAI's API reference; of others it says "Unknown
# parameter", those of chat completions among them.
_RESPONSES_API = _CODEX | {
    "access_programs", "background", "background_options", "context_management",
    "conversation", "image", "max_output_tokens", "max_tool_calls", "metadata",
    "moderation", "previous_response_id", "prompt", "prompt_cache_options",
    "prompt_cache_retention", "safety_identifier", "stream_options", "temperature",
    "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip
_LEAST_OUTPUT_TOKENS = 16


def refusal_of_turn(
    received: Received, models: list[dict[str, Any]]
) -> ScriptedResponse | None:
    """What a turn is answered before anybody works on it; None for one in order."""
    payload = received.payload
    if received.path.startswith("/v1/"):
        return next(_by_the_api(received), None)
    if received.route == "compact":
        return ScriptedResponse.json({"detail": "Not Found"}, 404)  # since August 2026
    message = next(_by_the_backend(received, models), None)
    if message is None:
        return next(map(_not_found, filter(_is_reference, items_of(payload))), None)
    if received.transport == "http":
        return ScriptedResponse.json({"detail": message}, 400)
    error = {"type": "invalid_request_error", "message": message}
    return ScriptedResponse.json({"error": error}, 400)


def _by_the_backend(received: Received, models: list[dict[str, Any]]) -> Iterator[str]:
    """What ChatGPT has against it, in the order in which it looks."""
    payload, is_frame = received.payload, received.transport == "websocket"
    told = isinstance(payload.get("instructions"), str) or received.route == "prewarm"
    if not (told or any(map(_instructs, received.history))):
        yield "Instructions are required"
    if payload.get("store") is not False:
        yield "Store must be set to false"
    if payload.get("stream") is not True and not is_frame:
        yield "Stream must be set to true"
    for name in payload.keys() - _CODEX - (_OF_FRAMES if is_frame else set()):
        yield f"Unsupported parameter: {name}"
    if any(item.get("role") == "system" for item in items_of(payload)):
        yield "System messages are not allowed"
    model = payload.get("model")
    if model not in [offered["slug"] for offered in models]:
        yield (
            f"The '{model}' model is not supported when using Codex with a ChatGPT "
            "account."
        )


def _instructs(item: JsonObject) -> bool:
    return item.get("type") == "additional_tools" or item.get("role") == "developer"


def _is_reference(item: JsonObject) -> bool:
    """Whether it only names what an earlier answer held, which nobody has kept."""
    is_reasoning = item.get("type") == "reasoning" and "id" in item
    is_empty = is_reasoning and not item.get("encrypted_content")
    return is_empty or item.get("type") == "item_reference"


def _not_found(item: JsonObject) -> ScriptedResponse:
    message = (
        f"Item with id '{item.get('id')}' not found. Items are not persisted when "
        "`store` is set to false. Try again with `store` set to true, or remove this "
        "item from your input."
    )
    error = {"message": message, "type": "invalid_request_error", "param": "input"}
    return ScriptedResponse.json({"error": {**error, "code": None}}, 404)


def _by_the_api(received: Received) -> Iterator[ScriptedResponse]:
    payload = received.payload
    is_frame = received.transport == "websocket"
    for name in payload.keys() - _RESPONSES_API - (_OF_FRAMES if is_frame else set()):
        message = f"Unknown parameter: '{name}'."
        yield _invalid("unknown_parameter", message, name)
    tokens = payload.get("max_output_tokens")
    if isinstance(tokens, int) and tokens < _LEAST_OUTPUT_TOKENS:
        message = (
            "Invalid 'max_output_tokens': integer below minimum value. Expected a "
            f"value >= {_LEAST_OUTPUT_TOKENS}, but got {tokens} instead."
        )
        yield _invalid("integer_below_min_value", message, "max_output_tokens")


def _invalid(code: str, message: str, param: str) -> ScriptedResponse:
    return error_response(400, code, message, type="invalid_request_error", param=param)
