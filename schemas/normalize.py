"""Normalisation: everything the gateway changes about a request's payload.

Each rule is one function over a payload whose top level it may edit. Nested values
belong to the caller: a rule replaces them and never writes into them. A value of a
wrong type stays where it is, for the schema to report.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from schemas.content_parts import MessageError
from schemas.items import carries_base_instructions, first_user_text, normalize_items
from schemas.messages import convert_messages
from schemas.parameters.spellings import RESPONSES_SPELLINGS, respell
from schemas.policy.tools import ToolPolicy, rename_choice, tool_policy
from schemas.surfaces import Surface

# Spelling → object and field it stands for; the first that is set wins.
_ALIASES = (
    ("reasoningEffort", "reasoning", "effort"),
    ("reasoningSummary", "reasoning", "summary"),
    ("textVerbosity", "text", "verbosity"),
    ("verbosity", "text", "verbosity"),
)

# Edits the payload and adds to the list what it changed.
Rule = Callable[[dict[str, Any], Surface, list[str]], None]


def normalize_responses_request_payload(
    payload: Mapping[str, Any],
    surface: Surface,
    *,
    compact: bool = False,
    tools: ToolPolicy | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """The payload for whichever account, and what was changed about it.

    The argument is left alone and shares unchanged values with the result.
    `compact`: the request is for a compaction, which is neither stored nor streamed.
    `tools`: the policy where it is not the surface's own.
    """
    respelt, changes = respell(payload, RESPONSES_SPELLINGS)
    normalized = dict(respelt)
    for rule in _RULES[surface, compact]:
        rule(normalized, surface, changes)
    _apply_tool_policy(normalized, tools or tool_policy(surface), changes)
    return normalized, changes


def _resolve_aliases(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    for alias, name, field in _ALIASES:
        if alias not in payload:
            continue
        target = payload.get(name)
        if not isinstance(target, dict | None):
            continue
        value = payload.pop(alias)
        if value is not None and (target is None or target.get(field) is None):
            payload[name] = {**(target or {}), field: value}
        changes.append(f"{alias} read as {name}.{field}")


def _convert_messages(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    messages, instructions = payload.get("messages"), payload.get("instructions")
    if not isinstance(messages, list) or not isinstance(instructions, str | None):
        return
    if payload.get("input") not in (None, "", []):
        return
    try:
        items, text = convert_messages(
            messages, instructions, native_parts=True, text=payload.get("text")
        )
    except MessageError:
        return  # stays for the schema to report
    del payload["messages"]
    payload["input"] = items
    if text != instructions:
        payload["instructions"] = text
    changes.append("messages made input")


def _normalize_input(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    items = payload.get("input")
    if isinstance(items, str):
        part = {"type": "input_text", "text": items}
        payload["input"] = [{"role": "user", "content": [part]}]
        changes.append("input text made a user message")
    elif isinstance(items, list):
        payload["input"], made = normalize_items(items)
        changes += made


def _apply_tool_policy(
    payload: dict[str, Any], policy: ToolPolicy, changes: list[str]
) -> None:
    tools = payload.get("tools")
    if isinstance(tools, list):
        payload["tools"], made = policy.apply(tools)
        changes += made
    choice = payload.get("tool_choice")
    current = rename_choice(choice)
    if current is not choice:
        payload["tool_choice"] = current
        changes.append("tool_choice web_search_preview renamed")


def _set_store(payload: dict[str, Any], surface: Surface, changes: list[str]) -> None:
    if "store" not in payload or _is_null_for_absent(payload, surface):
        payload["store"] = False
        changes.append("store set to false")


def _set_stream(payload: dict[str, Any], surface: Surface, changes: list[str]) -> None:
    """Upstream answers HTTP requests with events only; a socket leaves no choice."""
    stream = payload.get("stream")
    if stream is None or stream is False:
        payload["stream"] = True
        changes.append("stream set to true")


def _drop_store(payload: dict[str, Any], surface: Surface, changes: list[str]) -> None:
    if payload.get("store") is False or _is_null_for_absent(payload, surface):
        del payload["store"]
        changes.append("store dropped")


def _is_null_for_absent(payload: dict[str, Any], surface: Surface) -> bool:
    """Whether `store` is a null that stands for no value; Codex never sends it."""
    is_null = "store" in payload and payload["store"] is None
    return is_null and surface is not Surface.CODEX


def _drop_stream(payload: dict[str, Any], surface: Surface, changes: list[str]) -> None:
    if "stream" in payload and isinstance(payload["stream"], bool | None):
        del payload["stream"]
        changes.append("stream dropped")


def _rename_fast_tier(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    tier = payload.get("service_tier")
    if isinstance(tier, str) and tier.strip().lower() == "fast":
        payload["service_tier"] = "priority"
        changes.append("service_tier fast made priority")


def _drop_blank_previous(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    previous = payload.get("previous_response_id")
    if isinstance(previous, str) and not previous.strip():
        del payload["previous_response_id"]
        changes.append("blank previous_response_id dropped")


def _add_instructions(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    """Add empty instructions, which upstream requires, where there are none at all.

    A frame that continues a response, or only warms one up, builds on a
    conversation that carries them.
    """
    if payload.get("instructions") is not None:
        return
    if surface.is_socket and (
        payload.get("previous_response_id") is not None
        or payload.get("generate") is False
    ):
        return
    if not carries_base_instructions(payload.get("input")):
        payload["instructions"] = ""
        changes.append("empty instructions added")


def _derive_cache_key(
    payload: dict[str, Any], surface: Surface, changes: list[str]
) -> None:
    """Set one key for all requests that begin alike, so that upstream's cache hits.

    A request that continues another does not show its beginning, and gets none.
    """
    if payload.get("prompt_cache_key") is not None:
        return
    if payload.get("previous_response_id") is not None:
        return
    model, instructions = payload.get("model"), payload.get("instructions")
    prefixes = (instructions, first_user_text(payload.get("input")))
    parts = [_digest(text) for text in prefixes if isinstance(text, str) and text]
    if parts and isinstance(model, str):
        payload["prompt_cache_key"] = "-".join([_model_class(model), *parts])
        changes.append("prompt_cache_key derived")


def _digest(text: str) -> str:
    prefix = text[:512].encode("utf-8", "surrogatepass")
    return hashlib.sha256(prefix).hexdigest()[:12]


def _model_class(model: str) -> str:
    return next((kind for kind in ("codex", "mini") if kind in model), "std")


def _rules_of(surface: Surface, compact: bool) -> list[Rule]:
    """The rules of a surface in their order: later ones see what earlier ones made."""
    rules: list[Rule] = [_resolve_aliases]
    if surface.takes_messages:
        rules.append(_convert_messages)
    rules += [
        _normalize_input,
        _rename_fast_tier,
        _drop_blank_previous,
    ]
    if not surface.is_codex:
        # Its clients are not Codex: what Codex always sends is filled in.
        rules += [_add_instructions, _derive_cache_key]
    if compact:
        return [*rules, _drop_store, _drop_stream]
    rules.append(_set_store)
    return rules if surface.is_socket else [*rules, _set_stream]


_RULES = {
    (surface, compact): _rules_of(surface, compact)
    for surface in Surface
    for compact in (False, True)
}
