"""What is set for an account: its residency, and that it takes chat's parameters."""

import pytest

from gateway.admin.accounts import change_account
from tests.serving import CHAT, CODEX, MODEL, turn_on

RESIDENCY = "x-openai-internal-codex-residency"
CHAT_ONLY = {
    "seed": 7,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "logit_bias": {"50256": -100},
    "prediction": {"type": "content", "content": "as before"},
}


async def change(serving, name, **changes):
    await serving.gateway.store.write(change_account, name, changes, "test")
    await serving.gateway.reload()


@pytest.mark.gen_test
async def test_a_residency_goes_up_as_its_account_alone_on_both_transports(
    serving, upstream
):
    await change(serving, "one", residency="us")
    await serving.ask(CODEX, headers={RESIDENCY: "eu"})
    async with serving.socket() as ws:
        await turn_on(ws)
    await serving.gateway.usage.poll(serving.account("one"))
    await serving.pause("one")
    await serving.ask(CODEX, headers={RESIDENCY: "eu"})
    first, second = (one for one in upstream.of() if one.transport == "http")
    (handshake,), usage = upstream.of("handshake"), upstream.of("usage")[-1]
    assert [one.headers.get(RESIDENCY) for one in (first, handshake, usage)] == [
        "us"
    ] * 3
    assert second.account == "two"
    assert RESIDENCY not in second.headers
    await serving.resume("one")
    await change(serving, "one", residency="")
    await serving.ask(CODEX)
    assert RESIDENCY not in upstream.of()[-1].headers


def chat(**more):
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        **CHAT_ONLY,
        **more,
    }


@pytest.mark.gen_test
async def test_only_a_marked_server_gets_what_only_chat_has(serving, upstream):
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    assert (await serving.ask(CHAT, chat())).status == 200
    await change(serving, "paid", chat_parameters=True)
    upstream.lenient = True  # as compatible servers are
    assert (await serving.ask(CHAT, chat())).status == 200
    # What has a counterpart is still converted, and nothing is sent that was not.
    assert (await serving.ask(CHAT, chat(seed=None, max_tokens=5))).status == 200
    await serving.resume("one")
    await serving.pause("paid")
    assert (await serving.ask(CHAT, chat())).status == 200
    plain, marked, partly, chatgpt = (one.payload for one in upstream.of())
    assert marked == plain | CHAT_ONLY
    assert not CHAT_ONLY.keys() & plain.keys()
    assert not CHAT_ONLY.keys() & chatgpt.keys()
    assert "seed" not in partly
    assert partly["max_output_tokens"] == 16
    noted = [
        [one for one in row["changes"] if one == "seed dropped"]
        for row in await serving.rows(4)
    ]
    assert noted == [["seed dropped"], [], [], ["seed dropped"]]
