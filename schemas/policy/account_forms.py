"""AccountForm: what of a request goes to a kind of account, or keeps it from there."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from schemas.body.json import encode
from schemas.items import items_for_chatgpt
from schemas.parameters.unsupported import TRUNCATION_DEFAULTS, without_unsupported
from schemas.policy.tools import KindOfAccount, ToolPolicy
from schemas.reasons import Problem
from schemas.surfaces import Surface

# The API's least, which chat completions do not have.
LEAST_OUTPUT_TOKENS = 16
# Of chat completions; the Responses API has them as `include` and `top_logprobs`.
LOGPROBS_PARAMETERS = ("logprobs", "top_logprobs")
NOTHING_ELSE: Mapping[str, Any] = MappingProxyType({})

# A compatible server is an account with an API key that takes what only chat has.
KindOfForm = KindOfAccount | Literal["compatible"]


class AccountForm(NamedTuple):
    """The payload for a kind of account, and what was changed about it for that."""

    payload: dict[str, Any]
    changes: tuple[str, ...] = ()


def account_forms(
    payload: dict[str, Any],
    surface: Surface,
    policy: ToolPolicy,
    *,
    compact: bool,
    chat_only: Mapping[str, Any] = NOTHING_ELSE,
) -> dict[KindOfForm, AccountForm]:
    """What of a normalised payload goes to each kind of account.

    `chat_only`: what the Responses API has nothing for, and compatible servers may.
    """
    chatgpt = _chatgpt_form(payload, surface, policy, compact=compact)
    api_key = compatible = _api_key_form(payload, surface, policy)
    if chat_only:
        compatible = AccountForm({**api_key.payload, **chat_only}, api_key.changes)
        dropped = tuple(f"{name} dropped" for name in chat_only)
        chatgpt = AccountForm(chatgpt.payload, dropped + chatgpt.changes)
        api_key = AccountForm(api_key.payload, dropped + api_key.changes)
    return {"chatgpt": chatgpt, "api_key": api_key, "compatible": compatible}


def is_changed(
    payload: dict[str, Any], surface: Surface, policy: ToolPolicy, *, compact: bool
) -> bool:
    """Whether a kind of account gets another payload than this one."""
    forms = account_forms(payload, surface, policy, compact=compact)
    return any(form.payload is not payload for form in forms.values())


def bodies_of(
    payload: dict[str, Any],
    forms: Mapping[KindOfForm, AccountForm],
    own: bytes | None,
) -> dict[KindOfForm, bytes]:
    """The bodies that are known without encoding a payload that few accounts get."""
    chatgpt, api_key = forms["chatgpt"].payload, forms["api_key"].payload
    bodies: dict[KindOfForm, bytes] = {}
    if chatgpt is not payload:
        bodies["chatgpt"] = encode(chatgpt)
    elif own is None:
        own = encode(payload)
    if own is not None:
        bodies |= {kind: own for kind, one in forms.items() if one.payload is payload}
    if api_key is not payload:
        bodies["api_key"] = encode(api_key)
    elif chatgpt is not payload:
        # Encoded on demand; what could make that fail is found out here.
        told = [name for name in payload if chatgpt.get(name) is payload[name]]
        encode({name: payload[name] for name in payload if name not in told})
    return bodies


def _chatgpt_form(
    payload: dict[str, Any], surface: Surface, policy: ToolPolicy, *, compact: bool
) -> AccountForm:
    """What ChatGPT accounts accept; they compact in a turn."""
    sent, changes = without_unsupported(payload, surface)
    if not surface.is_codex:
        items, repaired = items_for_chatgpt(sent["input"])
        if repaired:
            sent = {"instructions": "", **sent, "input": items}
            changes += repaired
    sent, stripped = policy.strip_for("chatgpt", sent)
    changes += stripped
    if compact:
        sent, made = _as_compaction_turn(sent)
        changes += made
    return AccountForm(sent, tuple(changes))


def _as_compaction_turn(payload: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The turn that compacts for a ChatGPT account, and what makes it one.

    Their compact path ended in August 2026; the same payload is now a streamed
    request whose input ends with a trigger.
    """
    items = [*payload["input"], {"type": "compaction_trigger"}]
    turn = {**payload, "input": items, "stream": True, "store": False}
    return turn, ["compaction made a turn"]


def _api_key_form(
    payload: dict[str, Any], surface: Surface, policy: ToolPolicy
) -> AccountForm:
    """What the client wrote, but for limits that only chat completions allow."""
    sent, changes = policy.strip_for("api_key", payload)
    if surface is Surface.CHAT and _is_small(payload.get("max_output_tokens")):
        sent = {**sent, "max_output_tokens": LEAST_OUTPUT_TOKENS}
        changes = [*changes, f"max_output_tokens made {LEAST_OUTPUT_TOKENS}"]
    return AccountForm(sent, tuple(changes))


def _is_small(limit: Any) -> bool:
    is_number = isinstance(limit, int) and not isinstance(limit, bool)
    return is_number and 0 < limit < LEAST_OUTPUT_TOKENS


def truncation_problems(payload: Mapping[str, Any]) -> dict[KindOfAccount, Problem]:
    """ChatGPT accounts do not truncate; where that is the default it is left out."""
    if payload.get("truncation") in TRUNCATION_DEFAULTS:
        return {}
    return {"chatgpt": Problem(("truncation",), "Must be null, auto or disabled.")}


def reference_problems(
    payload: Mapping[str, Any], surface: Surface
) -> dict[KindOfAccount, Problem]:
    """An item may only be named where somebody has kept it; Codex names none."""
    items = payload.get("input")
    if surface.is_codex or not isinstance(items, list):
        return {}
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get("type") == "item_reference":
            told = "item_reference names what is not stored here; send the item itself"
            return {"chatgpt": Problem(("input",), f"input[{index}].type {told}")}
    return {}


def chat_problems(request: Mapping[str, Any]) -> dict[KindOfAccount, Problem]:
    """What of a checked chat request a kind of account does not have."""
    first, *others = [name for name in LOGPROBS_PARAMETERS if request.get(name)] or [""]
    if not first:
        return {}
    also = f", as {others[0]} does" if others else ""
    return {"chatgpt": Problem((first,), f"Needs an account with an API key{also}.")}
