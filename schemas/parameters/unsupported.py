"""Parameters by kind of account: what the ChatGPT backend refuses, as data.

It answers 400 `Unsupported parameter: …` to what other clients send by default.
Accounts with an API key get what the client wrote.
"""

from typing import Any, NamedTuple

from schemas.surfaces import Surface

TRUNCATION_DEFAULTS = (None, "auto", "disabled")


class RefusedParameter(NamedTuple):
    """Left out where these APIs are asked; Codex sends few of them."""

    name: str
    apis: tuple[str, ...]
    source: str  # a public report of the refusal


_EVERYWHERE = ("codex", "v1", "chat")
_PUBLIC = ("v1", "chat")
REFUSED_BY_CHATGPT = (
    RefusedParameter("max_output_tokens", _EVERYWHERE, "openclaw/openclaw pull 75111"),
    RefusedParameter("temperature", _EVERYWHERE, "Wei-Shaw/sub2api pull 589"),
    RefusedParameter(
        "prompt_cache_retention", _EVERYWHERE, "router-for-me/CLIProxyAPI issue 897"
    ),
    RefusedParameter(
        "safety_identifier", _EVERYWHERE, "router-for-me/CLIProxyAPI issue 1028"
    ),
    RefusedParameter("top_p", _PUBLIC, "QuantumNous/new-api issue 4792"),
    RefusedParameter("user", _PUBLIC, "router-for-me/CLIProxyAPI pull 1523"),
    RefusedParameter("metadata", _PUBLIC, "router-for-me/CLIProxyAPI issue 5112"),
    RefusedParameter(
        "prompt_cache_options", _PUBLIC, "router-for-me/CLIProxyAPI issue 5112"
    ),
    RefusedParameter("context_management", _PUBLIC, "BerriAI/litellm pull 21209"),
    RefusedParameter("background", _PUBLIC, "decolua/9router issue 868"),
    RefusedParameter(
        "max_tool_calls", _PUBLIC, "rolekit's notes on its Codex executor"
    ),
    RefusedParameter("frequency_penalty", _PUBLIC, "Wei-Shaw/sub2api pull 589"),
    RefusedParameter("presence_penalty", _PUBLIC, "Wei-Shaw/sub2api pull 589"),
    RefusedParameter("seed", _PUBLIC, "askalf/dario issue 1009"),
    RefusedParameter("top_logprobs", _PUBLIC, "askalf/dario issue 1009"),
    # On chat it goes up when a client asks for obfuscation by name.
    RefusedParameter("stream_options", ("v1",), "router-for-me/CLIProxyAPI pull 2347"),
)


_NAMES = {
    api: frozenset(one.name for one in REFUSED_BY_CHATGPT if api in one.apis)
    for api in _EVERYWHERE
}


def without_unsupported(
    payload: dict[str, Any], surface: Surface
) -> tuple[dict[str, Any], list[str]]:
    """The payload for a ChatGPT account, and what was dropped from it.

    Null says that nothing was told, and is refused all the same where the name is.
    """
    names = _NAMES[surface.api]
    dropped = [
        name
        for name, value in payload.items()
        if name in names
        or (value is None and not surface.is_codex)
        or (name == "truncation" and value in TRUNCATION_DEFAULTS)
    ]
    if not dropped:
        return payload, []
    kept = {key: value for key, value in payload.items() if key not in dropped}
    return kept, [f"{key} dropped" for key in dropped]
