"""Parameters by kind of account: what the ChatGPT backend refuses, as data.

It answers 400 `Unsupported parameter: …` to what other clients send by default.
Accounts with an API key get what the client wrote.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas.surfaces import Surface

TRUNCATION_DEFAULTS = (None, "auto", "disabled")


class RefusedParameter(NamedTuple):
    """`on_codex`: left out for Codex, too, which does not send it."""

    name: str
    on_codex: bool
    source: str  # a public report of the refusal


REFUSED_BY_CHATGPT = (
    RefusedParameter("max_output_tokens", True, "openclaw/openclaw pull 75111"),
    RefusedParameter("temperature", True, "Wei-Shaw/sub2api pull 589"),
    RefusedParameter(
        "prompt_cache_retention", True, "router-for-me/CLIProxyAPI issue 897"
    ),
    RefusedParameter("safety_identifier", True, "router-for-me/CLIProxyAPI issue 1028"),
    RefusedParameter("top_p", False, "QuantumNous/new-api issue 4792"),
    RefusedParameter("user", False, "router-for-me/CLIProxyAPI pull 1523"),
    RefusedParameter("metadata", False, "router-for-me/CLIProxyAPI issue 5112"),
    RefusedParameter(
        "prompt_cache_options", False, "router-for-me/CLIProxyAPI issue 5112"
    ),
    RefusedParameter("context_management", False, "BerriAI/litellm pull 21209"),
    RefusedParameter("background", False, "decolua/9router issue 868"),
    RefusedParameter("max_tool_calls", False, "rolekit's notes on its Codex executor"),
    RefusedParameter("frequency_penalty", False, "Wei-Shaw/sub2api pull 589"),
    RefusedParameter("presence_penalty", False, "Wei-Shaw/sub2api pull 589"),
    RefusedParameter("seed", False, "askalf/dario issue 1009"),
    RefusedParameter("top_logprobs", False, "askalf/dario issue 1009"),
)


def _names(refused: Iterable[RefusedParameter]) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in refused)


_ON_CODEX = _names(filter(lambda parameter: parameter.on_codex, REFUSED_BY_CHATGPT))
_ELSEWHERE = _names(REFUSED_BY_CHATGPT)


def without_unsupported(
    payload: dict[str, Any], surface: Surface
) -> tuple[dict[str, Any], list[str]]:
    """The payload for a ChatGPT account, and what was dropped from it."""
    names = _ON_CODEX if surface.is_codex else _ELSEWHERE
    dropped = [name for name in names if name in payload]
    if "truncation" in payload and payload["truncation"] in TRUNCATION_DEFAULTS:
        dropped.append("truncation")
    if not dropped:
        return payload, []
    kept = {key: value for key, value in payload.items() if key not in dropped}
    return kept, [f"{key} dropped" for key in dropped]
