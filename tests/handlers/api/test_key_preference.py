"""Under /v1, other clients than Codex prefer accounts with an API key."""

import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.script import ScriptRule
from tests.serving import CHAT, CODEX, MODEL, V1, accounts, payload, turn_on

pytestmark = pytest.mark.accounts("one")
SDK = {"user-agent": "OpenAI/Python 2.9.0", "x-stainless-lang": "python"}
CHAT_REQUEST = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
CODEXES = [
    {"originator": "codex_exec"},
    {"originator": "Codex Desktop"},
    {"user-agent": "codex-tui/0.171.0 (Debian 12.0.0; x86_64)"},
    {"user-agent": "my-ide/1", "x-codex-turn-metadata": "{}"},
]


def asked(number):
    """One of many conversations."""
    return payload(prompt_cache_key=f"cache-{number}")


@pytest.mark.gen_test
async def test_they_go_to_a_key_where_there_is_one_and_codex_does_not(
    serving, upstream
):
    await serving.ask(V1, asked(0), headers=SDK)  # there is none yet
    await serving.add_api_key_account(websockets=True)
    await serving.ask(V1, asked(1), headers=SDK)
    await serving.ask(CHAT, CHAT_REQUEST, headers=SDK)
    async with serving.socket(V1, headers=SDK) as ws:
        await turn_on(ws, asked(2))
    assert accounts(upstream) == ["one"] + ["fake-api-key"] * 3
    for number, codex in enumerate(CODEXES, 3):
        await serving.ask(V1, asked(number), headers=codex)
    await serving.ask(CODEX, asked(10), headers=SDK)
    assert accounts(upstream)[4:] == ["one"] * 5
    # A conversation stays where it is.
    await serving.ask(V1, asked(0), headers=SDK)
    assert accounts(upstream)[-1] == "one"


@pytest.mark.gen_test
async def test_where_the_key_cannot_they_go_on_to_a_login(serving, upstream):
    await serving.add_api_key_account(concurrency=1)  # and it speaks no WebSocket
    async with serving.socket(V1, headers=SDK) as ws:
        await turn_on(ws, asked(0))
    upstream.script.add(ScriptRule(faults.usage_limit(), account="fake-api-key"))
    assert (await serving.ask(V1, asked(1), headers=SDK)).status == 200
    await serving.pause("paid")
    assert (await serving.ask(V1, asked(2), headers=SDK)).status == 200
    assert accounts(upstream) == ["one", "fake-api-key", "one", "one"]


@pytest.mark.gen_test
@pytest.mark.settings(v1_prefers_keys=False)
async def test_it_can_be_left_to_priorities(serving, upstream):
    await serving.add_api_key_account()
    await serving.ask(V1, headers=SDK)
    assert accounts(upstream) == ["one"]


@pytest.mark.gen_test
async def test_what_the_chatgpt_backend_says_to_them_passes(serving, upstream):
    refusal = {"detail": "This client is not supported"}
    upstream.answer(ScriptedResponse.json(refusal, 400), times=None)
    answered = await serving.ask(V1, headers=SDK)
    assert answered.status == 400
    assert answered.error["message"] == refusal["detail"]
    (received,) = upstream.of()
    assert received.headers["user-agent"] == SDK["user-agent"]
    assert "originator" not in received.headers
