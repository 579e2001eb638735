"""The scripted upstream answers over HTTP as a real one would."""

import asyncio
import json

import aiohttp
import pytest
import zstandard

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests import upstream_faults
from tests.gateway.demo.client import (
    body,
    client,
    events_of,
    headers,
    output_text,
)


@pytest.mark.gen_test
async def test_a_friendly_answer_streams_and_completes(upstream):
    async with client(upstream) as one, one.post(body("good morning")) as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["x-codex-turn-state"] == "turn-of-one"
        assert response.headers["x-codex-primary-used-percent"] == "12"
        events = events_of(await response.text())
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert "".join(deltas) == output_text(events[-1])
    assert "good morning" in output_text(events[-1])
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.gen_test
async def test_requests_are_recorded_as_they_were_sent(upstream):
    packed = zstandard.compress(json.dumps(body("packed")).encode())
    async with client(upstream) as one:
        more = {"content-encoding": "zstd", "X-Odd_Name": "1", **headers(one.account)}
        async with one.session.post(
            one.base + "/responses", data=packed, headers=more
        ) as response:
            await response.read()
    (received,) = upstream.of("responses")
    assert received.body == packed
    assert received.payload["input"] == "packed"
    assert ("X-Odd_Name", "1") in received.raw_headers
    assert received.account == "one"
    assert received.done.is_set()
    assert not received.closed.is_set()


@pytest.mark.gen_test
async def test_scripted_answers_come_first_and_each_to_its_account(upstream):
    upstream.answer(b"data: for two\n\n", account="two", times=None)
    upstream.answer(faults.usage_limit(), account="one")
    async with client(upstream, "one") as one, client(upstream, "two") as two:
        async with one.post(body()) as response:
            assert response.status == 429
            error = (await response.json())["error"]
        assert error["type"] == "usage_limit_reached"
        assert {"resets_at", "plan_type"} <= set(error)
        for _ in range(2):
            async with two.post(body()) as response:
                assert await response.read() == b"data: for two\n\n"
        assert "You said" in await one.text(body())


@pytest.mark.gen_test
async def test_an_answer_held_by_an_event_shows_when_the_client_leaves(upstream):
    upstream.answer(b"data: first\n\n", asyncio.Event())
    async with client(upstream) as one:
        async with one.post(body()) as response:
            assert await response.content.readuntil(b"\n\n") == b"data: first\n\n"
            received = await upstream.arrived()
            assert not received.closed.is_set()
        await asyncio.wait_for(received.closed.wait(), 30)


@pytest.mark.parametrize(
    "answer",
    [
        upstream_faults.reset_before_headers(),
        upstream_faults.reset_after_headers(),
        faults.cut_after(ScriptedTurn().text("cut").answer(), 3),
        upstream_faults.cut_mid_event(ScriptedTurn().text("cut").answer(), 3),
        upstream_faults.short_body(),
        upstream_faults.bad_chunking(),
    ],
    ids=["before headers", "after headers", "cut", "mid event", "short", "chunks"],
)
@pytest.mark.gen_test
async def test_a_cut_is_visible_to_the_client(upstream, answer):
    upstream.answer(answer)
    async with client(upstream) as one:
        with pytest.raises(aiohttp.ClientError):
            async with one.post(body()) as response:
                await response.read()
    assert not upstream.of()[0].closed.is_set()  # it was not the client who left


@pytest.mark.gen_test
async def test_odd_bytes_pass_as_they_are(upstream):
    whole = ScriptedTurn().text("grüße").completed().answer()
    upstream.answer(upstream_faults.dripped(whole, 7))
    upstream.answer(upstream_faults.gzipped(whole))
    upstream.answer(upstream_faults.wrong_content_type())
    upstream.answer(upstream_faults.oversized(3 << 20))
    async with client(upstream) as one:
        for _ in range(2):
            async with one.post(body()) as response:
                assert await response.read() == upstream_faults.as_bytes(whole)
        async with one.post(body()) as response:
            assert response.headers["content-type"].startswith("text/html")
        async with one.post(body()) as response:
            assert len(await response.read()) > 3 << 20


@pytest.mark.gen_test
async def test_tokens_that_are_missing_expired_or_revoked_are_refused(upstream):
    upstream.add_account("late", lifetime=-60)
    async with client(upstream, "late") as late, client(upstream, "one") as one:
        async with late.post(body()) as response:
            assert response.status == 401
        async with late.session.post(late.base + "/responses", json=body()) as response:
            assert response.status == 401
        upstream.auth.expire("one")
        async with one.post(body()) as response:
            assert response.status == 401
        one.account.issue()
        async with one.post(body()) as response:
            assert response.status == 200


def test_headers_can_be_added_to_an_answer():
    answer = ScriptedResponse.json({"a": 1}).with_headers({"x-a": "b"}).after(0.5)
    assert answer.headers["x-a"] == "b"
    assert answer.before == (0.5,)
