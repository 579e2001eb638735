"""The scripted upstream refuses what a real one refuses, unless it is lenient."""

import pytest

from gateway.demo.answers import Cut
from schemas.parameters.unsupported import REFUSED_BY_CHATGPT
from tests.gateway.demo.client import body, client, user
from tests.serving import turn_on

NO_MODEL = "The 'gpt-4' model is not supported when using Codex with a ChatGPT account."
REFUSED = [
    ({"instructions": None}, "Instructions are required"),
    ({"store": True}, "Store must be set to false"),
    ({"store": None}, "Store must be set to false"),
    ({"stream": False}, "Stream must be set to true"),
    ({"model": "gpt-4"}, NO_MODEL),
    (
        {"input": [{"role": "system", "content": "hi"}]},
        "System messages are not allowed",
    ),
    ({"nobody_knows_it": 1}, "Unsupported parameter: nobody_knows_it"),
    ({"previous_response_id": "r"}, "Unsupported parameter: previous_response_id"),
    *(
        ({refused.name: 1}, f"Unsupported parameter: {refused.name}")
        for refused in REFUSED_BY_CHATGPT
    ),
]


@pytest.mark.gen_test
async def test_the_backend_refuses_with_a_detail(upstream):
    async with client(upstream) as one:
        for changed, detail in REFUSED:
            async with one.post(body(**changed)) as response:
                assert response.status == 400
                assert await response.json() == {"detail": detail}


@pytest.mark.gen_test
async def test_a_developer_message_instructs_too(upstream):
    said = [{"role": "developer", "content": "Be brief."}, user("demo:say(brief)")]
    async with client(upstream) as one:
        assert await one.text(body(said, instructions=None)) == "brief"


@pytest.mark.gen_test
async def test_a_socket_gets_an_error_frame_and_stays(upstream):
    async with client(upstream) as one, one.socket() as ws:
        (frame,) = await turn_on(ws, body(top_p=1))
        assert frame["status"] == 400
        assert frame["error"] == {
            "type": "invalid_request_error",
            "message": "Unsupported parameter: top_p",
        }
        warmed = await turn_on(ws, body([], instructions=None, generate=False))
        anchor = warmed[-1]["response"]["id"]
        assert (await turn_on(ws, body(previous_response_id=anchor)))[-1]["type"] == (
            "response.completed"
        )


@pytest.mark.parametrize("kind", ["reasoning", "item_reference"])
@pytest.mark.gen_test
async def test_nothing_is_kept_that_an_item_could_name(upstream, kind):
    async with client(upstream) as one:
        items = [{"type": kind, "id": "rs_1"}, user("hi")]
        async with one.post(body(items)) as response:
            assert response.status == 404
            error = (await response.json())["error"]
    assert error["message"].startswith("Item with id 'rs_1' not found.")


@pytest.mark.gen_test
async def test_a_refused_turn_uses_up_no_scripted_answer(upstream):
    upstream.answer({"type": "first"}, Cut.EOF)
    async with client(upstream) as one:
        async with one.post(body(seed=1)) as response:
            assert response.status == 400
        async with one.post(body()) as response:
            assert b"first" in await response.content.readuntil(b"\n\n")


@pytest.mark.gen_test
async def test_the_compact_path_has_ended_for_accounts_of_chatgpt(upstream):
    async with client(upstream) as one:
        sending = {"json": body(), "headers": {"authorization": "Bearer x"}}
        async with one.session.post(
            one.base + "/responses/compact", **sending
        ) as response:
            assert response.status == 404


@pytest.mark.gen_test
async def test_the_api_refuses_what_belongs_to_chat_completions(upstream):
    async def code(**more):
        async with one.session.post(
            upstream.url + "/v1/responses",
            json={"model": "gpt-5.5", "input": "hi", **more},
            headers={"authorization": "Bearer key"},
        ) as response:
            found = await response.read() if response.status == 200 else None
            return None if found else (await response.json())["error"]["code"]

    async with client(upstream) as one:
        assert await code(seed=1) == "unknown_parameter"
        assert await code(max_output_tokens=5) == "integer_below_min_value"
        assert await code(max_output_tokens=16, store=True, top_p=1) is None


@pytest.mark.gen_test
async def test_a_lenient_upstream_takes_all_of_it(upstream):
    upstream.lenient = True
    async with client(upstream) as one:
        for changed, _detail in REFUSED:
            async with one.post(body(**changed)) as response:
                assert response.status == 200
