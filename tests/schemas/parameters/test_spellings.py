"""Parameters in camel case mean the parameters they are named after."""

import json

import pytest

from schemas.parameters.spellings import CHAT_SPELLINGS, RESPONSES_SPELLINGS, respell
from schemas.parameters.unsupported import REFUSED_BY_CHATGPT
from schemas.policy.key_policy import KeyPolicy
from schemas.request import load_chat_request, load_request
from schemas.surfaces import Surface

SAMPLES = {
    "web_search_options": {"search_context_size": "low"},
    "parallel_tool_calls": True,
    "service_tier": "flex",
    "previous_response_id": "resp_1",
    "prompt_cache_key": "k",
    "tool_choice": "auto",
    "function_call": "auto",
    "response_format": {"type": "json_object"},
    "stream_options": {"include_usage": True},
    "logit_bias": {},
}


def complete(**fields):
    return {"model": "m", "instructions": "", "input": [], **fields}


def body(loaded, *, chatgpt_account):
    return json.loads(loaded.body_for(chatgpt_account=chatgpt_account)[0])


@pytest.mark.parametrize(("spelling", "name"), RESPONSES_SPELLINGS.items())
@pytest.mark.parametrize("surface", [one for one in Surface if one is not Surface.CHAT])
def test_a_spelling_is_the_parameter(surface, spelling, name):
    def load(field):
        sent = complete(**{field: SAMPLES.get(name, 20)})
        return load_request(json.dumps(sent).encode(), surface)

    spelt, named = load(spelling), load(name)
    for chatgpt_account in (True, False):
        assert body(spelt, chatgpt_account=chatgpt_account) == body(
            named, chatgpt_account=chatgpt_account
        )
    assert f"{spelling} read as {name}" in spelt.changes
    assert spelling not in body(spelt, chatgpt_account=True)


@pytest.mark.parametrize(("spelling", "name"), CHAT_SPELLINGS.items())
def test_a_spelling_is_the_parameter_of_chat_completions(spelling, name):
    def load(field):
        messages = [{"role": "user", "content": "json"}]
        sent = {"model": "m", "messages": messages, field: SAMPLES.get(name, 20)}
        return load_chat_request(json.dumps(sent).encode())

    (spelt, spelt_options), (named, named_options) = load(spelling), load(name)
    assert spelt_options == named_options
    for chatgpt_account in (True, False):
        assert body(spelt, chatgpt_account=chatgpt_account) == body(
            named, chatgpt_account=chatgpt_account
        )
    assert f"{spelling} read as {name}" in spelt.changes


def test_options_of_a_stream_are_spelt_so_too():
    options = {"includeUsage": True, "includeObfuscation": False}
    messages = [{"role": "user", "content": "hi"}]
    sent = {"model": "m", "messages": messages, "streamOptions": options}
    loaded, told = load_chat_request(json.dumps(sent).encode())
    assert told.include_usage
    sent = body(loaded, chatgpt_account=True)["stream_options"]
    assert sent == {"include_obfuscation": False}


def test_every_parameter_that_chatgpt_refuses_may_be_spelt_so():
    spelt = {name.replace("_", "") for name in RESPONSES_SPELLINGS.values()}
    assert spelt == {name.lower() for name in RESPONSES_SPELLINGS}
    refused = {one.name for one in REFUSED_BY_CHATGPT if "_" in one.name}
    assert refused <= set(RESPONSES_SPELLINGS.values())


def test_the_own_name_wins_and_null_is_nothing():
    def names(**payload):
        return respell(payload, RESPONSES_SPELLINGS)[0]

    assert names(topP=1, top_p=2) == {"top_p": 2}
    assert names(topP=1, top_p=None) == {"top_p": 1}
    assert names(topP=None) == {}
    assert names(topP=0) == {"top_p": 0}
    assert names(top_k=1, topK=2) == {"top_k": 1, "topK": 2}


def test_what_a_key_enforces_holds_for_every_spelling():
    sent = json.dumps(complete(serviceTier="priority")).encode()
    loaded = load_request(sent, Surface.V1, policy=KeyPolicy(tier="flex"))
    assert body(loaded, chatgpt_account=False)["service_tier"] == "flex"
    assert loaded.service_tier == "flex"
