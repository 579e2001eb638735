"""Everything upstream took on is counted: calls without a count, and who leaves."""

import asyncio

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn, usage
from gateway.store.models import UsageHour
from tests.gateway.keys.media_files import png, wav
from tests.serving import MODEL, V1, payload, turn_on, until, user

COMPACT = "/v1/responses/compact"
IMAGES = "/v1/images/generations"
EDITS = "/v1/images/edits"
SEARCH = "/v1/alpha/search"
TRANSCRIBE = "/v1/audio/transcriptions"
LONG = "a few words, and a few more of them " * 3_000  # 27,000 tokens


def form(**fields):
    data = aiohttp.FormData()
    for name, value in fields.items():
        is_file = isinstance(value, bytes)
        data.add_field(name, value, filename="f" if is_file else None)
    return data


async def used(serving, headers):
    told = (await serving.get("/v1/usage", headers=headers)).json
    return [row["current_value"] for row in told["limits"]]


async def key(serving, *limits, **rules):
    return {"x-api-key": await serving.add_key(limits=list(limits), **rules)}


async def call(serving, path, body, headers):
    if callable(body):
        body = body()
    if isinstance(body, dict):
        return await serving.ask(path, body, headers=headers)
    async with serving.session.post(path, data=body, headers=headers) as response:
        await response.read()
        return response


CALLS = [
    (IMAGES, {"prompt": "a red circle"}, 3),
    (EDITS, lambda: form(image=png(320, 320), prompt="x" * 40), 100 + 10),
    (
        EDITS,
        {"prompt": "a red circle", "images": [{"image_url": "https://x/y"}]},
        1_027,
    ),
    (SEARCH, {"commands": {"search_query": [{"q": "hello world"}]}}, 3),
    (TRANSCRIBE, lambda: form(file=wav(3), model="m", prompt="x" * 40), 30 + 10),
]


@pytest.mark.parametrize(("path", "body", "tokens"), CALLS)
@pytest.mark.gen_test
async def test_a_call_counts_as_one_request_and_as_its_input(
    serving, upstream, path, body, tokens
):
    headers = await key(serving, "requests 3/1d", "tokens 1M/1d")
    found = [(await call(serving, path, body, headers)).status for _ in range(5)]
    assert found == [200, 200, 200, 429, 429]
    assert await used(serving, headers) == [3, 3 * tokens]
    *_, row = await serving.rows(3)
    await serving.refused(2)
    assert (row["input_tokens"], row["output_tokens"]) == (tokens, 0)


@pytest.mark.gen_test
async def test_compactions_count(serving, upstream):
    headers = await key(serving, "requests 3/1d")
    found = [
        (await serving.ask(COMPACT, payload(), headers=headers)).status
        for _ in range(4)
    ]
    assert found == [200, 200, 200, 429]


@pytest.mark.gen_test
async def test_what_upstream_counted_itself_goes_before_the_estimate(serving, upstream):
    headers = await key(serving, "tokens 1M/1d")
    words = {"text": "hi", "usage": {"type": "duration", "seconds": 60}}
    upstream.answer(ScriptedResponse.json(words), route="transcribe")
    await call(serving, TRANSCRIBE, form(file=wav(3)), headers)
    assert await used(serving, headers) == [600]
    drawn = {"data": [], "usage": {"input_tokens": 40, "output_tokens": 4_160}}
    upstream.answer(ScriptedResponse.json(drawn), route="images")
    await serving.ask(IMAGES, {"prompt": "x"}, headers=headers)
    assert await used(serving, headers) == [600 + 4_200]


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.gen_test
async def test_what_upstream_refused_costs_nothing(serving, upstream, status):
    headers = await key(serving, "requests 3/1d", "tokens 1M/1d")
    refusal = ScriptedResponse.json({"error": {"message": "no"}}, status)
    upstream.answer(refusal, route="images")
    await serving.ask(IMAGES, {"prompt": "x"}, headers=headers)
    assert await used(serving, headers) == [0, 0]


@pytest.mark.gen_test
async def test_an_answer_without_usage_counts_its_input(serving, upstream):
    headers = await key(serving, "requests 9/1d", "tokens 1M/1d")
    turn = ScriptedTurn().text("hi").completed()
    del turn.events[-1]["response"]["usage"]
    upstream.answer(turn.answer())
    await serving.ask(body=payload(LONG), headers=headers)
    requests, tokens = await used(serving, headers)
    assert requests == 1
    assert len(LONG) / 4 <= tokens <= len(LONG) / 3


@pytest.mark.gen_test
async def test_a_turn_on_a_socket_that_names_the_one_before_costs_both(
    serving, upstream
):
    headers = await key(serving, "tokens 10M/1d")
    turn = ScriptedTurn().text("hi").completed(usage(120_000, 3_000))
    upstream.answer(turn.answer())
    async with serving.socket(headers=headers) as ws:
        await turn_on(ws)
        (before,) = await used(serving, headers)
        assert before == 123_000
        upstream.answer(*turn.events[:1], asyncio.Event())
        again = payload(input=[user("go on")], previous_response_id=turn.id)
        await ws.send_json({"type": "response.create", **again})
        await upstream.arrived(2)
    _, row = await serving.rows(2)
    assert row["status"] == "interrupted"
    assert 123_000 < row["input_tokens"] < 123_100


@pytest.mark.parametrize("tiny_turns", [0, 5])
@pytest.mark.gen_test
async def test_forty_turns_at_once_overshoot_their_limit_little(
    serving, upstream, tiny_turns
):
    headers = await key(serving, "tokens 100k/5h")
    for _ in range(tiny_turns):  # so that little is expected
        assert (await serving.ask(headers=headers)).status == 200
    turn = ScriptedTurn().text("one two").completed(usage(1_000, 128_000))
    upstream.answer(turn.answer(), times=None)
    bodies = [payload(prompt_cache_key=f"c{number}") for number in range(40)]
    answers = await asyncio.gather(
        *(serving.ask(body=body, headers=headers) for body in bodies)
    )
    assert {answer.status for answer in answers} == {200, 429}
    (counted,) = await used(serving, headers)
    assert counted <= 300_000


@pytest.mark.gen_test
async def test_turns_that_fit_run_side_by_side(serving, upstream):
    headers = await key(serving, "tokens 500k/5h")
    for _ in range(5):  # one after the other: nothing is known of them
        assert (await serving.ask(headers=headers)).status == 200
    go_on = asyncio.Event()
    turn = ScriptedTurn().text("one two").completed()
    upstream.answer(turn.events[0], go_on, *turn.events[1:], times=None)
    asking = [asyncio.create_task(serving.ask(headers=headers)) for _ in range(10)]
    await upstream.arrived(15)
    go_on.set()
    assert {one.status for one in await asyncio.gather(*asking)} == {200}


@pytest.mark.parametrize("has_chatgpt", [True, False])
@pytest.mark.gen_test
async def test_what_upstream_keeps_to_is_the_most_that_is_reserved(
    serving, upstream, has_chatgpt
):
    await serving.add_api_key_account()
    if not has_chatgpt:
        await serving.pause("one", "two")
        headers = await key(serving, "tokens 50k/5h", accounts=["paid"])
    else:
        headers = await key(serving, "tokens 50k/5h")
    go_on = asyncio.Event()
    turn = ScriptedTurn().text("one two").completed()
    upstream.answer(turn.events[0], go_on, *turn.events[1:], times=None)
    body = payload(max_output_tokens=100)
    asking = [
        asyncio.create_task(serving.ask(V1, body, headers=headers)) for _ in range(3)
    ]
    await upstream.arrived(1 if has_chatgpt else 3)
    limiter = serving.gateway.limiter
    await until(lambda: limiter.open_reservations + limiter.waiting == 3)
    assert limiter.waiting == (2 if has_chatgpt else 0)
    go_on.set()
    assert {one.status for one in await asyncio.gather(*asking)} == {200}


@pytest.mark.gen_test
async def test_made_up_models_are_one_in_the_sums_that_are_kept_for_ever(
    serving, upstream
):
    await serving.ask(body=payload())
    refusal = ScriptedResponse.json({"error": {"message": "no", "code": "x"}}, 400)
    upstream.answer(refusal, times=None)
    for name in (MODEL, "made-up-1", "made-up-2", "m" * 70):
        await serving.ask(body=payload(model=name))
    await serving.rows(5)
    read = serving.gateway.store.read
    counted = await read(
        lambda: {row.model: row.requests for row in UsageHour.select().execute()}
    )
    assert {"": 0, **counted} == {"": 0, MODEL: 2, "other": 3}
