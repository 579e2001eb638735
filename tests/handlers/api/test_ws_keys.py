"""Keys on sockets: their limits, models, rules and end."""

import pytest

from tests.serving import CODEX, V1, payload, turn_on


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_key_at_its_limit_is_told_by_a_frame(serving, upstream, path):
    key = {"x-api-key": await serving.add_key(limits=["tokens 100/5h"])}
    async with serving.socket(path, headers=key) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        (frame,) = await turn_on(ws)
        assert frame["status"] == 429
        is_codex = path == CODEX
        expected = "usage_limit_reached" if is_codex else "rate_limit_exceeded"
        assert frame["error"]["code"] == expected
        assert frame["error"]["plan_type"] == "api_key"
        assert frame["error"]["resets_at"]
        assert ("retry-after" in frame.get("headers", {})) is not is_codex
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_a_model_the_key_may_not_use_is_refused_by_a_frame(serving, upstream):
    key = {"x-api-key": await serving.add_key(models=["gpt-5.4*"])}
    async with serving.socket(headers=key) as ws:
        (frame,) = await turn_on(ws)
        assert frame["status"] == 403
        assert frame["error"]["code"] == "model_not_allowed"
        frames = await turn_on(ws, payload(model="gpt-5.4-mini"))
        assert frames[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_key_disabled_meanwhile_gets_no_further_turn(serving, upstream):
    key = {"x-api-key": await serving.add_key()}
    async with serving.socket(headers=key) as ws:
        await turn_on(ws)
        await serving.change_key(disabled=True)
        (frame,) = await turn_on(ws)
        assert (frame["status"], frame["error"]["code"]) == (401, "invalid_api_key")
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_what_a_key_enforces_holds_on_sockets(serving, upstream):
    key = {"x-api-key": await serving.add_key(enforce_model="gpt-5.4-mini")}
    async with serving.socket(headers=key) as ws:
        await turn_on(ws)
    assert upstream.of()[0].payload["model"] == "gpt-5.4-mini"
    assert upstream.of()[0].payload["type"] == "response.create"
