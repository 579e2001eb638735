"""Streams that break, stall or flood: what the client sees of it."""

import asyncio

import pytest

from gateway.demo import faults
from gateway.demo.answers import Cut, ScriptedResponse
from tests import upstream_faults
from tests.handlers.api.test_http_failover import TURN
from tests.serving import V1, accounts, payload

BROKEN = ("stream_incomplete", "connection_reset")


@pytest.mark.parametrize("how", [Cut.RESET, Cut.EOF])
@pytest.mark.gen_test
async def test_a_cut_after_the_commit_is_told_in_the_stream(serving, upstream, how):
    upstream.answer(faults.cut_after(TURN.answer(), 6, how))
    answered = await serving.ask()
    assert answered.status == 200
    assert answered.types == [e["type"] for e in TURN.events[:6]] + ["response.failed"]
    error = answered.events[-1]["response"]["error"]
    assert error["code"] == "stream_incomplete"
    assert answered.events[-1]["response"]["id"] == TURN.id
    assert accounts(upstream) == ["one"]
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("error", "stream_incomplete")
    assert row["error_phase"] == "stream"
    # One broken stream says nothing against its account.
    assert (await serving.ask()).status == 200
    assert accounts(upstream) == ["one", "one"]


@pytest.mark.parametrize("how", [Cut.RESET, Cut.EOF])
@pytest.mark.parametrize("events", [0, 2])
@pytest.mark.gen_test
async def test_cuts_before_the_commit_everywhere_are_told_codex_in_the_stream(
    serving, upstream, how, events
):
    """A 502 has Codex try thirty times, where upstream itself has it try six."""
    upstream.answer(faults.cut_after(TURN.answer(), events, how), times=None)
    answered = await serving.ask()
    assert answered.status == 200
    seen = [e["type"] for e in TURN.events[:events]]
    assert answered.types == [*seen, "response.failed"]
    assert answered.events[-1]["response"]["error"]["code"] == "stream_incomplete"
    assert accounts(upstream) == ["one", "one", "two"]
    (row,) = await serving.rows()
    assert (row["status"], row["error_phase"]) == ("error", "first_event")
    for body in (payload(), payload(stream=False)):  # an SDK goes by the status
        answered = await serving.ask(V1, body)
        assert (answered.status, answered.error["code"] in BROKEN) == (502, True)


@pytest.mark.gen_test
async def test_a_cut_does_not_hide_an_earlier_answer(serving, upstream):
    upstream.answer(faults.server_error(), account="one", times=None)
    upstream.answer(ScriptedResponse((Cut.EOF,)), account="two", times=None)
    answered = await serving.ask()
    assert (answered.status, answered.error["code"]) == (500, "server_error")


@pytest.mark.gen_test
async def test_a_stream_that_ends_politely_without_its_end_is_told(serving, upstream):
    upstream.answer(upstream_faults.without_terminal())
    answered = await serving.ask()
    assert answered.types[-1] == "response.failed"
    assert answered.events[-1]["response"]["error"]["code"] == "stream_incomplete"


@pytest.mark.gen_test
async def test_half_an_event_at_the_cut_does_not_reach_the_client(serving, upstream):
    upstream.answer(upstream_faults.cut_mid_event(TURN.answer(), 6))
    answered = await serving.ask()
    assert answered.types == [e["type"] for e in TURN.events[:6]] + ["response.failed"]


@pytest.mark.settings(first_event_timeout=0.15)  # in which the other one answers
@pytest.mark.parametrize(
    "answer",
    [
        ScriptedResponse(before=(asyncio.Event(),)),
        ScriptedResponse((asyncio.Event(),)),
        ScriptedResponse((b": waiting\n\n", asyncio.Event())),
    ],
    ids=["before headers", "after headers", "after a comment"],
)
@pytest.mark.gen_test
async def test_a_stall_before_the_first_event_moves_on(serving, upstream, answer):
    held = asyncio.Event()
    answer = ScriptedResponse(
        tuple(held if isinstance(s, asyncio.Event) else s for s in answer.steps),
        before=tuple(held for _ in answer.before),
    )
    upstream.answer(answer, account="one", times=None)
    answered = await serving.ask()
    assert answered.status == 200
    assert accounts(upstream)[0] == "one"
    assert accounts(upstream)[-1] == "two"
    await asyncio.wait_for(upstream.of()[0].closed.wait(), 30)


@pytest.mark.settings(first_event_timeout=0.03)
@pytest.mark.gen_test
async def test_a_stall_everywhere_names_its_phase(serving, upstream):
    held = asyncio.Event()
    upstream.answer(ScriptedResponse((held,)), times=None)
    answered = await serving.ask()
    assert answered.status == 502
    assert answered.error["code"] == "upstream_first_event_timeout"
    assert answered.error["phase"] == "first_event"
    assert "phase: first_event" in answered.error["message"]


@pytest.mark.gen_test
async def test_an_event_beyond_all_bounds_is_not_collected(serving, upstream):
    upstream.answer(upstream_faults.oversized(40 << 20), times=None)
    answered = await serving.ask()
    assert answered.status == 502
    assert upstream.of()[0].sent_bytes < 30 << 20


@pytest.mark.gen_test
async def test_an_event_beyond_all_bounds_in_the_stream_ends_it(serving, upstream):
    oversized = upstream_faults.oversized(20 << 20)
    upstream.answer(ScriptedResponse((*TURN.events[:6], *oversized.steps)))
    answered = await serving.ask()
    error = answered.events[-1]["response"]["error"]
    assert error["code"] == "stream_event_too_large"


@pytest.mark.gen_test
async def test_the_first_of_two_ends_is_what_counts(serving, upstream):
    answer = upstream_faults.two_terminals()
    upstream.answer(answer)
    answered = await serving.ask()
    assert answered.body == upstream_faults.as_bytes(answer)
    (row,) = await serving.rows()
    assert row["status"] == "success"
    assert row["output_tokens"] == 20
