"""AccountForm: what of a request goes to a kind of account, or keeps it from there."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from schemas.normalize import as_compaction_turn
from schemas.parameters.unsupported import without_unsupported
from schemas.reasons import Problem
from schemas.surfaces import Surface

KindOfAccount = Literal["chatgpt", "api_key"]

# The API's least, which chat completions do not have.
LEAST_OUTPUT_TOKENS = 16
# Of chat completions; the Responses API has them as `include` and `top_logprobs`.
LOGPROBS_PARAMETERS = ("logprobs", "top_logprobs")


class AccountForm(NamedTuple):
    """The payload for a kind of account, and what was changed about it for that."""

    payload: dict[str, Any]
    changes: tuple[str, ...] = ()


def chatgpt_form(
    payload: dict[str, Any], surface: Surface, *, compact: bool
) -> AccountForm:
    """What ChatGPT accounts accept; they compact in a turn."""
    sent, changes = without_unsupported(payload, surface)
    if compact:
        sent, made = as_compaction_turn(sent)
        changes += made
    return AccountForm(sent, tuple(changes))


def api_key_form(payload: dict[str, Any], surface: Surface) -> AccountForm:
    """What the client wrote, but for limits that only chat completions allow."""
    limit = payload.get("max_output_tokens")
    if surface is not Surface.CHAT or not isinstance(limit, int):
        return AccountForm(payload)
    if isinstance(limit, bool) or not 0 < limit < LEAST_OUTPUT_TOKENS:
        return AccountForm(payload)
    raised = {**payload, "max_output_tokens": LEAST_OUTPUT_TOKENS}
    return AccountForm(raised, (f"max_output_tokens made {LEAST_OUTPUT_TOKENS}",))


def chat_problems(request: Mapping[str, Any]) -> dict[KindOfAccount, Problem]:
    """What of a checked chat request a kind of account does not have."""
    first, *others = [name for name in LOGPROBS_PARAMETERS if request.get(name)] or [""]
    if not first:
        return {}
    also = f", as {others[0]} does" if others else ""
    return {"chatgpt": Problem((first,), f"Needs an account with an API key{also}.")}
