"""Other names for models, through a whole gateway."""

import pytest

from gateway.admin.errors import Unacceptable
from gateway.admin.rules import set_rules
from gateway.demo.answers import ScriptedResponse
from tests.serving import CHAT, CODEX, MODEL, V1, payload, turn_on

NANO = "gpt-5.4-nano"
MESSAGES = [{"role": "user", "content": "hi"}]


async def set_aliases(serving, *aliases):
    """The only ones there are from now on, with all catalogues known."""
    for name in ("one", "two"):
        await serving.gateway.catalogues.refresh(serving.account(name))
    await serving.gateway.store.write(set_rules, {"aliases": list(aliases)}, "test")
    await serving.gateway.reload()


def models_in(events):
    return {e["response"]["model"] for e in events if "model" in e.get("response", {})}


@pytest.mark.gen_test
async def test_the_model_goes_up_and_the_alias_comes_back(serving, upstream):
    await set_aliases(serving, f"{NANO}={MODEL}")
    request = payload(model=NANO)
    streamed = await serving.ask(V1, request)
    assert models_in(streamed.events) == {NANO}
    assert {"response.created", "response.completed"} <= set(streamed.types)
    folded = await serving.ask(V1, request | {"stream": False})
    assert folded.json["model"] == NANO
    chat = {"model": NANO, "messages": MESSAGES}
    assert (await serving.ask(CHAT, chat)).json["model"] == NANO
    chunks = (await serving.ask(CHAT, chat | {"stream": True})).events
    assert {chunk["model"] for chunk in chunks} == {NANO}
    async with serving.socket(V1) as ws:
        assert models_in(await turn_on(ws, request)) == {NANO}
    # Codex is told what upstream told.
    assert models_in((await serving.ask(CODEX, request)).events) == {MODEL}
    assert {received.payload["model"] for received in upstream.of()} == {MODEL}
    for row in await serving.rows(6):
        assert (row["requested_model"], row["model"]) == (NANO, MODEL)
        assert "model alias resolved" in row["changes"]


@pytest.mark.gen_test
async def test_what_holds_for_a_key_s_models_holds_for_what_an_alias_stands_for(
    serving, upstream
):
    await set_aliases(serving, f"{NANO}=gpt-5.4", "other=gpt-5.4", f"alias={MODEL}")
    own = await serving.add_key("own", models=[MODEL], aliases=[f"{NANO}={MODEL}"])
    plain = await serving.add_key("plain", models=[NANO, "gpt-5.5"])
    forced = await serving.add_key("forced", enforce_model="alias")

    async def ask(token, model):
        headers = {"authorization": f"Bearer {token}"}
        request = payload(model=model, stream=False)
        return await serving.ask(V1, request, headers=headers)

    assert (await ask(own, NANO)).json["model"] == NANO
    assert (await ask(own, "other")).error["code"] == "model_not_allowed"
    assert (await ask(plain, NANO)).error["code"] == "model_not_allowed"
    assert (await ask(forced, NANO)).json["model"] == MODEL
    assert [received.payload["model"] for received in upstream.of()] == [MODEL] * 2
    listed = await serving.get("/v1/models", headers={"x-api-key": own})
    assert {one["id"] for one in listed.json["data"]} == {MODEL, NANO, "alias"}
    one = await serving.get(f"/v1/models/{NANO}", headers={"x-api-key": plain})
    assert one.status == 404


@pytest.mark.gen_test
async def test_the_public_list_has_aliases_of_what_there_is(serving):
    await set_aliases(serving)
    before = await serving.get("/v1/models")
    await set_aliases(serving, f"{NANO}={MODEL}", "ghost=gpt-0")
    after = await serving.get("/v1/models")
    names = [{one["id"] for one in listed.json["data"]} for listed in (before, after)]
    assert names[1] - names[0] == {NANO}
    assert before.headers["etag"] != after.headers["etag"]
    assert (await serving.get(f"/v1/models/{NANO}")).json["id"] == NANO
    codex = await serving.get("/backend-api/codex/models?client_version=0.171.0")
    assert NANO not in {one["slug"] for one in codex.json["models"]}


@pytest.mark.gen_test
async def test_calls_of_a_model_know_aliases_too(serving, upstream):
    await set_aliases(serving, f"small={MODEL}")
    await serving.add_api_key_account()
    document = {"object": "list", "data": [], "model": MODEL}
    upstream.answer(ScriptedResponse.json(document), route="side")
    answered = await serving.ask("/v1/embeddings", {"model": "small", "input": "a"})
    assert answered.json == document | {"model": "small"}
    received = upstream.requests[-1]
    assert received.payload == {"model": MODEL, "input": "a"}


@pytest.mark.gen_test
async def test_an_alias_stands_for_no_other_whoever_set_it(serving):
    await set_aliases(serving, f"a={MODEL}")
    with pytest.raises(Unacceptable, match="'a' is an alias, and 'b=a' one of it"):
        await serving.add_key(aliases=["b=a"])
    await serving.add_key(aliases=["b=x", f"a={MODEL}"])
    with pytest.raises(Unacceptable, match="'x' is an alias, and 'b=x' one of it"):
        await set_aliases(serving, f"x={MODEL}")


@pytest.mark.gen_test
async def test_pictures_are_asked_for_by_an_alias_too(serving, upstream):
    await set_aliases(serving, "dall-e-3=gpt-image-2")
    upstream.answer(ScriptedResponse.json({"data": []}), route="side")
    request = {"model": "dall-e-3", "prompt": "a"}
    assert (await serving.ask("/v1/images/generations", request)).status == 200
    received = upstream.requests[-1]
    assert received.payload == {"model": "gpt-image-2", "prompt": "a"}
    (row,) = await serving.rows(1)
    assert row["requested_model"] == "dall-e-3"
    assert row["changes"] == ["model alias resolved"]


@pytest.mark.gen_test
async def test_who_may_not_use_a_model_hears_of_those_there_are(serving):
    await set_aliases(serving)
    token = await serving.add_key(models=["gpt-5.4*"])
    for model in ("gpt-5.5", "no-such-model"):
        request = payload(model=model)
        refused = await serving.ask(V1, request, headers={"x-api-key": token})
        assert refused.status == 403
        assert refused.error["message"] == (
            f"This API key does not have access to model '{model}'; "
            "there are gpt-5.4-mini"
        )
