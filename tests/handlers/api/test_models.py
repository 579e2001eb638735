"""One model of the public list, and what an unknown one is told."""

import pytest

from tests.serving import CHAT, CODEX, V1, payload, turn_on


async def refresh(serving, upstream):
    """The names of all models, once the gateway knows them."""
    for name in ("one", "two"):
        await serving.gateway.catalogues.refresh(serving.account(name))
    return sorted(model["slug"] for model in upstream.models)


@pytest.mark.gen_test
async def test_one_model_is_an_entry_of_the_list(serving, upstream):
    names = await refresh(serving, upstream)
    entries = (await serving.get("/v1/models")).json["data"]
    for entry in entries:
        answered = await serving.get(f"/v1/models/{entry['id']}")
        assert (answered.status, answered.json) == (200, entry)
        assert answered.json["object"] == "model"
    assert sorted(entry["id"] for entry in entries) == names


@pytest.mark.parametrize("path", ["/v1/models/gpt-0", "/v1/models/some/gpt%2d0"])
@pytest.mark.gen_test
async def test_an_unknown_model_is_not_found(serving, upstream, path):
    names = await refresh(serving, upstream)
    answered = await serving.get(path)
    error = answered.error
    assert (answered.status, error["code"]) == (404, "model_not_found")
    assert (error["type"], error["param"]) == ("invalid_request_error", "model")
    assert "gpt-0' does not exist here" in error["message"]
    assert error["message"].endswith("there are " + ", ".join(names))


@pytest.mark.gen_test
async def test_a_key_sees_its_own_models_only(serving, upstream):
    first, second, *_ = await refresh(serving, upstream)
    token = await serving.add_key(models=[first])
    given = {"authorization": f"Bearer {token}"}
    assert (await serving.get(f"/v1/models/{first}", headers=given)).status == 200
    answered = await serving.get(f"/v1/models/{second}", headers=given)
    assert answered.status == 404
    assert answered.error["message"].endswith(f"there are {first}")
    assert (await serving.get(f"/v1/models/{first}")).status == 401


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_a_request_for_an_unknown_model_is_told_those_there_are(
    serving, upstream, path
):
    names = await refresh(serving, upstream)
    body = payload(model="gpt-0")
    if path == CHAT:
        body = {"model": "gpt-0", "messages": [{"role": "user", "content": "hi"}]}
    answered = await serving.ask(path, body)
    assert (answered.status, answered.error["code"]) == (400, "model_not_available")
    assert answered.error["param"] == "model"
    assert answered.error["message"].endswith("there are " + ", ".join(names))
    (row,) = await serving.rows()
    assert row["error_message"].startswith(answered.error["message"][:200])


@pytest.mark.gen_test
async def test_a_frame_for_an_unknown_model_too_within_what_its_key_may_use(
    serving, upstream
):
    first, *_ = await refresh(serving, upstream)
    token = await serving.add_key(models=[first, "gpt-0"])
    async with serving.socket(headers={"x-api-key": token}) as ws:
        (refusal,) = await turn_on(ws, payload(model="gpt-0"))
    assert (refusal["status"], refusal["error"]["code"]) == (400, "model_not_available")
    assert refusal["error"]["message"].endswith(f"there are {first}")


@pytest.mark.parametrize(
    "path", ["/v1/alpha/search", "/v1/images/generations", "/v1/images/edits"]
)
@pytest.mark.gen_test
async def test_media_pass_below_v1_as_below_the_codex_path(serving, upstream, path):
    body = {"model": "image-1", "prompt": "a cat"}
    below_codex = await serving.ask(path.replace("/v1", "/backend-api/codex"), body)
    answered = await serving.ask(path, body)
    assert answered.status == below_codex.status == 200
    first, second = await serving.rows(2)
    assert (first["route"], first["surface"]) == (second["route"], "codex")
    assert second["surface"] == "v1"
