"""What the gateway changes about a request: the whole list, nothing else.

Each rule is one function over a request whose top level it may edit. Nested
values belong to the caller: a rule replaces them, it never writes into them. A
value of a wrong type stays where it is, for the schema to report.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.items import (
    carries_base_instructions,
    first_user_text,
    normalize_items,
)
from schemas.messages import MessageError, convert_messages
from schemas.surfaces import EVERYWHERE, HTTP, PUBLIC, TAKES_MESSAGES, Surface
from schemas.tools import policy_of, renamed, without_dropped

# What ChatGPT accounts refuse and public clients send; their models decide alone.
UNSUPPORTED_BY_CHATGPT = (
    "max_output_tokens",
    "temperature",
    "prompt_cache_retention",
    "safety_identifier",
)
TRUNCATION_DEFAULTS = (None, "auto", "disabled")

# Spelling → object and field it stands for; the first that is set wins.
_ALIASES = (
    ("reasoningEffort", "reasoning", "effort"),
    ("reasoningSummary", "reasoning", "summary"),
    ("textVerbosity", "text", "verbosity"),
    ("verbosity", "text", "verbosity"),
)

NormalizationRule = Callable[[dict[str, Any], Surface], list[str]]


def normalize_responses_request_payload(
    payload: Mapping[str, Any],
    surface: Surface,
    *,
    chatgpt_account: bool = True,
    compact: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """The payload as it goes upstream, and what was changed about it.

    The argument is left alone and shares what did not change with the result.
    `compact`: the request asks for a compaction, which is neither stored nor
    streamed. `chatgpt_account` False keeps what only accounts with a key take.
    """
    request = dict(payload)
    changes: list[str] = []
    for rule in (_COMPACT_RULES if compact else _RULES)[surface]:
        changes += rule(request, surface)
    if chatgpt_account:
        request, dropped = without_unsupported(request)
        changes += dropped
    return request, changes


def without_unsupported(request: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The request without what ChatGPT accounts refuse; the same one if it has none."""
    dropped = [key for key in UNSUPPORTED_BY_CHATGPT if key in request]
    if "truncation" in request and request["truncation"] in TRUNCATION_DEFAULTS:
        dropped.append("truncation")
    if not dropped:
        return request, []
    kept = {key: value for key, value in request.items() if key not in dropped}
    return kept, [f"{key} dropped" for key in dropped]


def _resolve_aliases(request: dict[str, Any], surface: Surface) -> list[str]:
    changes = []
    for alias, name, field in _ALIASES:
        if alias not in request:
            continue
        target = request.get(name)
        if not isinstance(target, dict | None):
            continue
        value = request.pop(alias)
        if value is not None and (target is None or target.get(field) is None):
            request[name] = {**(target or {}), field: value}
        changes.append(f"{alias} read as {name}.{field}")
    if "promptCacheKey" in request:
        value = request.pop("promptCacheKey")
        if value is not None and request.get("prompt_cache_key") is None:
            request["prompt_cache_key"] = value
        changes.append("promptCacheKey read as prompt_cache_key")
    return changes


def _convert_messages(request: dict[str, Any], surface: Surface) -> list[str]:
    messages, instructions = request.get("messages"), request.get("instructions")
    if not isinstance(messages, list) or not isinstance(instructions, str | None):
        return []
    if request.get("input") not in (None, "", []):
        return []
    try:
        items, text = convert_messages(messages, instructions, native_parts=True)
    except MessageError:
        return []
    del request["messages"]
    request["input"] = items
    if text != instructions:
        request["instructions"] = text
    return ["messages made input"]


def _wrap_text_input(request: dict[str, Any], surface: Surface) -> list[str]:
    text = request.get("input")
    if not isinstance(text, str):
        return []
    part = {"type": "input_text", "text": text}
    request["input"] = [{"role": "user", "content": [part]}]
    return ["input text made a user message"]


def _normalize_input(request: dict[str, Any], surface: Surface) -> list[str]:
    items = request.get("input")
    if not isinstance(items, list):
        return []
    request["input"], changes = normalize_items(items)
    return changes


def _apply_tool_policy(request: dict[str, Any], surface: Surface) -> list[str]:
    tools = request.get("tools")
    if not isinstance(tools, list):
        return []
    policy = policy_of(surface)
    if policy.leaves(tools):
        return []
    changes = []
    kept = without_dropped(tools, policy)
    if kept is not tools:
        changes.append("image_generation tool dropped")
    current = [renamed(tool) for tool in kept]
    if any(new is not old for new, old in zip(current, kept, strict=True)):
        changes.append("web_search_preview tool renamed")
        kept = current
    request["tools"] = kept
    return changes


def _rename_tool_choice(request: dict[str, Any], surface: Surface) -> list[str]:
    choice = request.get("tool_choice")
    current = renamed(choice)
    if current is choice:
        return []
    request["tool_choice"] = current
    return ["tool_choice web_search_preview renamed"]


def _refuse_storing(request: dict[str, Any], surface: Surface) -> list[str]:
    if "store" in request and (
        request["store"] is not None or surface == Surface.CODEX
    ):
        return []
    request["store"] = False
    return ["store set to false"]


def _ask_for_stream(request: dict[str, Any], surface: Surface) -> list[str]:
    stream = request.get("stream")
    if stream is not None and stream is not False:
        return []
    request["stream"] = True
    return ["stream set to true"]


def _drop_store(request: dict[str, Any], surface: Surface) -> list[str]:
    if "store" not in request:
        return []
    store = request["store"]
    if store is False or (store is None and surface != Surface.CODEX):
        del request["store"]
        return ["store dropped"]
    return []


def _drop_stream(request: dict[str, Any], surface: Surface) -> list[str]:
    if "stream" in request and isinstance(request["stream"], bool | None):
        del request["stream"]
        return ["stream dropped"]
    return []


def _rename_fast_tier(request: dict[str, Any], surface: Surface) -> list[str]:
    tier = request.get("service_tier")
    if not isinstance(tier, str) or tier.strip().lower() != "fast":
        return []
    request["service_tier"] = "priority"
    return ["service_tier fast made priority"]


def _drop_blank_previous(request: dict[str, Any], surface: Surface) -> list[str]:
    previous = request.get("previous_response_id")
    if not isinstance(previous, str) or previous.strip():
        return []
    del request["previous_response_id"]
    return ["blank previous_response_id dropped"]


def _add_instructions(request: dict[str, Any], surface: Surface) -> list[str]:
    """Upstream wants instructions from who brings none in any other way.

    A frame that continues a response, or only warms one up, builds on a
    conversation that carries them.
    """
    if request.get("instructions") is not None:
        return []
    if surface.is_socket and (
        request.get("previous_response_id") is not None
        or request.get("generate") is False
    ):
        return []
    if carries_base_instructions(request.get("input")):
        return []
    request["instructions"] = ""
    return ["empty instructions added"]


def _derive_cache_key(request: dict[str, Any], surface: Surface) -> list[str]:
    """One key for all requests that begin alike, so that upstream's cache hits.

    None for a request that continues another: it does not show its beginning.
    """
    if request.get("prompt_cache_key") is not None:
        return []
    if request.get("previous_response_id") is not None:
        return []
    model, instructions = request.get("model"), request.get("instructions")
    prefixes = (instructions, first_user_text(request.get("input")))
    parts = [_digest(text) for text in prefixes if isinstance(text, str) and text]
    if not parts or not isinstance(model, str):
        return []
    request["prompt_cache_key"] = "-".join([_model_class(model), *parts])
    return ["prompt_cache_key derived"]


def _digest(text: str) -> str:
    prefix = text[:512].encode("utf-8", "surrogatepass")
    return hashlib.sha256(prefix).hexdigest()[:12]


def _model_class(model: str) -> str:
    return next((kind for kind in ("codex", "mini") if kind in model), "std")


Ruled = tuple[NormalizationRule, frozenset[Surface]]


def _by_surface(rules: Sequence[Ruled]) -> dict[Surface, list[NormalizationRule]]:
    return {
        surface: [rule for rule, surfaces in rules if surface in surfaces]
        for surface in Surface
    }


# In the order they apply: later rules see what earlier ones made.
_SHARED_RULES: tuple[Ruled, ...] = (
    (_resolve_aliases, EVERYWHERE),
    (_convert_messages, TAKES_MESSAGES),
    (_wrap_text_input, EVERYWHERE),
    (_normalize_input, EVERYWHERE),
    (_apply_tool_policy, EVERYWHERE),
    (_rename_tool_choice, EVERYWHERE),
    (_rename_fast_tier, EVERYWHERE),
    (_drop_blank_previous, EVERYWHERE),
    (_add_instructions, PUBLIC),
    (_derive_cache_key, PUBLIC),
)
_RULES = _by_surface(
    (*_SHARED_RULES, (_refuse_storing, EVERYWHERE), (_ask_for_stream, HTTP))
)
_COMPACT_RULES = _by_surface(
    (*_SHARED_RULES, (_drop_store, EVERYWHERE), (_drop_stream, EVERYWHERE))
)
