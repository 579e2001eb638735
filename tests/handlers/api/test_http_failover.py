"""The failover table over HTTP: what moves on, what is told, and how often."""

import socket

import pytest

from gateway.demo import faults
from gateway.demo.answers import Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.protocol.failure_kind import KINDS
from tests import upstream_faults
from tests.serving import accounts

TURN = ScriptedTurn().text("one two three").completed()


async def tried(serving, count=1):
    """(account, then) of every attempt of the last request."""
    rows = await serving.rows(count)
    return [(a["account"], a["then"]) for a in rows[-1]["receipt"]["attempts"]]


ON_FIRST = {
    "reset before headers": upstream_faults.reset_before_headers(),
    "reset after headers": upstream_faults.reset_after_headers(),
    "closed before headers": ScriptedResponse(before=(Cut.EOF,)),
    "500": faults.server_error(),
    "502 with a page": ScriptedResponse((b"<html>Bad gateway</html>",), 502),
    "503": faults.unavailable(),
    "503 with a wait": faults.unavailable(120),
    "529": faults.error_response(529, "overloaded", "busy"),
    "408": faults.error_response(408, "timeout", "slow"),
    "error event first": faults.overloaded(),
    "failed first": upstream_faults.failed_first(),
    "failed first, overloaded": upstream_faults.failed_first(
        "server_is_overloaded", "full"
    ),
    "usage limit": faults.usage_limit(),
    "usage limit in a stream": upstream_faults.failed_first(
        "usage_limit_reached", "limit"
    ),
    "too fast": upstream_faults.rate_limited(1.5),
    "quota": faults.error_response(429, "insufficient_quota", "no money"),
    "402": faults.error_response(402, "payment_required", "pay"),
    "403 with a page": ScriptedResponse((b"<title>Just a moment...</title>",), 403),
    "model": faults.error_response(404, "model_not_found", "no such model"),
    "model in prose": ScriptedResponse.json(
        {"detail": "The 'gpt-5.5' model is not supported when using Codex"}, 400
    ),
    "cut before the commit": faults.cut_after(TURN.answer(), 2),
    "ended before the commit": faults.cut_after(TURN.answer(), 2, Cut.EOF),
    "half an event": upstream_faults.cut_mid_event(TURN.answer(), 1),
    "wrong content type": upstream_faults.wrong_content_type(),
    "gzip": upstream_faults.gzipped(TURN.answer()),
    "bad chunks": upstream_faults.bad_chunking(),
    "short body": upstream_faults.short_body(),
    "empty": ScriptedResponse(),
    "comments only": ScriptedResponse((b": hello\n\n",)),
}


@pytest.mark.parametrize("answer", ON_FIRST.values(), ids=ON_FIRST)
@pytest.mark.gen_test
async def test_a_failure_of_one_account_is_not_seen(serving, upstream, answer):
    upstream.answer(answer, account="one", times=None)
    upstream.answer(TURN.answer(), account="two", times=None)
    answered = await serving.ask()
    assert answered.status == 200
    assert answered.body == upstream_faults.as_bytes(TURN.answer())
    assert set(accounts(upstream)) == {"one", "two"}
    assert accounts(upstream)[-1] == "two"
    (row,) = await serving.rows()
    assert row["status"] == "success"
    assert row["account_id"] == serving.account("two").id
    assert row["attempts"] == len(upstream.of())
    assert row["receipt"]["attempts"][0]["account"] == "one"
    assert row["receipt"]["attempts"][0]["kind"] in KINDS
    assert row["receipt"]["attempts"][-1]["then"] == "answered"
    assert row["receipt"]["passed_over"][0][0] == "one"


@pytest.mark.gen_test
async def test_a_refused_connection_of_one_account_is_not_seen(serving, upstream):
    """An API-key account has an endpoint of its own."""
    await serving.pause("one", "two")
    await serving.add_api_key_account("dead", priority=1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    serving.account("dead").base_url = f"http://127.0.0.1:{port}/v1"
    await serving.add_api_key_account("alive")
    answered = await serving.ask()
    assert answered.status == 200
    assert upstream.of()[-1].path == "/v1/responses"


@pytest.mark.gen_test
async def test_a_lone_account_is_tried_again_after_a_pause(serving, upstream):
    await serving.pause("two")
    upstream.answer(faults.server_error())
    answered = await serving.ask()
    assert answered.status == 200
    assert accounts(upstream) == ["one", "one"]
    assert await tried(serving) == [("one", "again after 0.2 s"), ("one", "answered")]


@pytest.mark.gen_test
async def test_a_dead_upstream_is_not_hammered(serving, upstream):
    upstream.answer(faults.server_error(), times=None)
    for _ in range(6):
        await serving.ask()
    assert len(upstream.of()) <= 6 + 3


@pytest.mark.gen_test
async def test_another_key_s_failures_cost_nobody_a_repetition(serving, upstream):
    """Two clients that meet 5xx make trouble of it: for the turns after that."""
    await serving.pause("two")
    hostile, honest = [
        {"authorization": f"Bearer {await serving.add_key(name)}"} for name in "ab"
    ]
    upstream.answer(faults.server_error(), times=2)
    assert (await serving.ask(headers=hostile)).status == 500
    upstream.answer(faults.server_error())
    assert (await serving.ask(headers=honest)).status == 200
