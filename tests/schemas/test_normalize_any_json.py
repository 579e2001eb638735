"""Normalising any JSON: it never breaks, never mutates, and does its work once."""

import contextlib
import copy

from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.normalize import normalize_responses_request_payload
from schemas.parameters.unsupported import without_unsupported
from schemas.responses import responses_schema
from schemas.surfaces import Surface

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
)
KEYS = st.sampled_from(
    [
        *["type", "role", "content", "text", "input", "output", "tools", "messages"],
        *["tool_calls", "function_call", "reasoning_content", "refusal", "effort"],
        *["tool_call_id", "call_id", "file_id", "image_url", "file", "function", "x"],
    ]
)
WORDS = st.sampled_from(
    [
        *["user", "assistant", "tool", "developer", "system", "message", "text"],
        *["input_text", "output_text", "refusal", "reasoning", "image_generation"],
        *["input_file", "web_search_preview", "fast", "auto", ""],
    ]
)
JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
NAMES = st.sampled_from(
    [
        *["model", "instructions", "input", "messages", "tools", "tool_choice"],
        *["store", "stream", "reasoning", "text", "service_tier", "truncation"],
        *["reasoningEffort", "verbosity", "textVerbosity", "promptCacheKey", "x.y"],
        *["previous_response_id", "conversation", "prompt_cache_key", "temperature"],
        *["generate", "include", "client_metadata"],
    ]
)
PAYLOADS = st.dictionaries(NAMES, JSON, max_size=8)
SURFACES = st.sampled_from(Surface)
# What a rule names; all other members of a payload must come through as they are.
TOUCHED = {
    *["instructions", "input", "messages", "tools", "tool_choice", "store", "stream"],
    *["service_tier", "reasoning", "text", "prompt_cache_key", "temperature"],
    *["truncation", "reasoningEffort", "verbosity", "textVerbosity"],
    *["promptCacheKey", "previous_response_id"],
}


@given(PAYLOADS, SURFACES, st.booleans(), st.booleans())
def test_any_payload_is_normalised_once_and_for_all(payload, surface, chatgpt, compact):
    def normalize(payload):
        result, what = normalize_responses_request_payload(
            payload, surface, compact=compact
        )
        if chatgpt:
            result, dropped = without_unsupported(result, surface)
            what += dropped
        return result, what

    before = copy.deepcopy(payload)
    result, what = normalize(payload)
    assert payload == before
    assert bool(what) is (result != payload)
    assert normalize(result) == (result, [])
    untouched = payload.keys() - TOUCHED
    if chatgpt and not surface.is_codex:  # null says that nothing was told
        untouched -= {name for name, value in payload.items() if value is None}
    assert {k: result.get(k) for k in untouched} == {k: payload[k] for k in untouched}
    assert result.keys() - TOUCHED == untouched


@given(PAYLOADS, st.builds(responses_schema, SURFACES, st.booleans(), st.just(())))
def test_a_schema_says_what_is_wrong_and_never_breaks(payload, schema):
    before = copy.deepcopy(payload)
    with contextlib.suppress(ValidationError):
        schema.load(payload)
    assert payload == before
