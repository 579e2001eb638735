"""What of a payload ChatGPT accounts refuse, and who is spared it."""

import pytest

from schemas.normalize import normalize_responses_request_payload
from schemas.parameters.unsupported import REFUSED_BY_CHATGPT, without_unsupported
from schemas.surfaces import Surface
from tests.schemas.test_normalize import complete

# What no client but those of the public API sends; Codex's own requests pass.
PASSES_ON_CODEX = {
    *["top_p", "user", "metadata", "prompt_cache_options", "context_management"],
    *["background", "max_tool_calls"],
    *["frequency_penalty", "presence_penalty", "seed"],
    *["top_logprobs", "stream_options"],
}
PASSES_ON_CHAT = {"stream_options"}  # where it holds what the client asked for by name


def test_chatgpt_accounts_do_not_get_what_they_refuse():
    extras = {
        "max_output_tokens": 5,
        "temperature": 0.5,
        "prompt_cache_retention": "24h",
        "safety_identifier": None,
        "truncation": "auto",
    }
    payload = complete(**extras)
    assert normalize_responses_request_payload(payload, Surface.CODEX)[0] == payload
    for surface in Surface:
        assert without_unsupported(payload, surface) == (
            complete(),
            [f"{name} dropped" for name in extras],
        )
    strict = complete(truncation="strict")
    assert without_unsupported(strict, Surface.V1) == (strict, [])


@pytest.mark.parametrize("surface", Surface)
def test_null_is_left_out_for_chatgpt_accounts_of_all_but_codex(surface):
    payload = complete(conversation=None, reasoning=None)
    expected = (complete(), ["conversation dropped", "reasoning dropped"])
    if surface.is_codex:
        expected = (payload, [])
    assert without_unsupported(payload, surface) == expected


@pytest.mark.parametrize("name", [one.name for one in REFUSED_BY_CHATGPT])
def test_what_chatgpt_refuses_of_other_clients_is_kept_for_codex(name):
    payload = complete(**{name: "told"})
    passes = {"codex": PASSES_ON_CODEX, "chat": PASSES_ON_CHAT, "v1": set()}
    for surface in Surface:
        kept, dropped = without_unsupported(payload, surface)
        if name in passes[surface.api]:
            assert (kept, dropped) == (payload, [])
        else:
            assert (kept, dropped) == (complete(), [f"{name} dropped"])
