"""The failover table over HTTP: what moves on, what is told, and how often."""

import asyncio
import socket
import time

import pytest

from gateway.demo import faults
from gateway.demo.answers import Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.store import models
from tests import upstream_faults
from tests.gateway.accounts.pools import cool
from tests.serving import CHAT, CODEX, V1, payload

TURN = ScriptedTurn().text("one two three").completed()


BODIES = {
    CODEX: payload(),
    V1: payload(),
    CHAT: {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}]},
}


def accounts(upstream):
    return [received.account for received in upstream.of()]


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
    assert row["receipt"]["attempts"][-1]["then"] == "answered"
    assert row["receipt"]["passed_over"][0][0] == "one"


NO_ANSWER = {
    "reset before headers": upstream_faults.reset_before_headers(),
    "reset after headers": upstream_faults.reset_after_headers(),
    "cut before the commit": faults.cut_after(TURN.answer(), 2),
    "wrong content type": upstream_faults.wrong_content_type(),
    "gzip": upstream_faults.gzipped(TURN.answer()),
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER)
@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_failure_everywhere_says_whose_it_is(serving, upstream, path, answer):
    upstream.answer(answer, times=None)
    answered = await serving.ask(path)
    assert answered.status == 502
    assert answered.error["origin"] in ("upstream", "network")
    assert answered.error["phase"]
    assert answered.error["request_id"] == answered.headers["x-request-id"]
    assert "retry-after" not in answered.headers
    assert len(upstream.of()) <= 6
    (row,) = await serving.rows()
    assert (row["status"], row["http_status"]) == ("error", 502)
    assert row["error_origin"] == answered.error["origin"]


ANSWERS = {
    "500": faults.server_error(),
    "503": faults.unavailable(),
    "529": faults.error_response(529, "overloaded", "busy"),
    "402": faults.error_response(402, "deactivated_workspace", "pay"),
    "403": faults.error_response(403, "unsupported_country", "not here"),
    "quota": faults.error_response(429, "organization_spend_limit_exceeded", "no"),
    "limit": faults.usage_limit(3_600, "pro"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_the_last_answer_is_told_as_it_was(serving, upstream, path, answer):
    await serving.pause("two")
    limits = {"x-codex-active-limit": "codex_x", "x-codex-promo-message": "more"}
    upstream.answer(answer.with_headers({**limits, "x-odd": "1"}), times=None)
    answered = await serving.ask(path, BODIES[path])
    assert answered.status == answer.status
    expected = {**answer.error(), "request_id": answered.headers["x-request-id"]}
    assert answered.error == expected
    assert limits.items() <= answered.headers.items()
    assert not {"x-odd", "retry-after"} & answered.headers.keys()
    (row,) = await serving.rows()
    assert (row["http_status"], row["error_code"]) == (
        answer.status,
        answer.error()["code"],
    )


@pytest.mark.parametrize(
    ("wait", "is_told"), [("2", True), ("300", True), ("301", False)]
)
@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_the_wait_that_upstream_asks_for_is_told(
    serving, upstream, path, wait, is_told
):
    await serving.pause("two")
    answer = faults.error_response(413, "too_large", "no", {"retry-after": wait})
    upstream.answer(answer, times=None)
    answered = await serving.ask(path)
    assert answered.headers.get("retry-after") == (wait if is_told else None)


@pytest.mark.gen_test
async def test_an_answer_says_more_than_a_connection_that_broke(serving, upstream):
    answer = faults.unavailable()
    upstream.answer(answer, account="one", times=None)
    upstream.answer(upstream_faults.reset_before_headers(), account="two", times=None)
    answered = await serving.ask()
    assert accounts(upstream)[-1] == "two"
    assert answered.status == 503
    assert answer.error().items() <= answered.error.items()


WHOSE = "of organization org-AbC123 for bob@example.com, in 'Acme Inc'"


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_beside_keys_an_error_names_nobody(serving, upstream, path):
    headers = {"x-api-key": await serving.add_key()}
    limits = {"x-codex-active-limit": "codex_x"}
    answer = faults.error_response(429, "rate_limit_exceeded", WHOSE, limits, org_id=1)
    upstream.answer(answer, times=None)
    answered = await serving.ask(path, BODIES[path], headers=headers)
    assert answered.status == 429
    assert answered.error["message"] == (
        "of organization [redacted] for [redacted], in 'Acme Inc'"
    )
    assert "org_id" not in answered.error
    assert "x-codex-active-limit" not in answered.headers


@pytest.mark.parametrize("turn", [ScriptedTurn(), ScriptedTurn().text("one two")])
@pytest.mark.gen_test
async def test_beside_keys_a_failed_response_names_nobody(serving, upstream, turn):
    """Before the first output and behind it."""
    headers = {"x-api-key": await serving.add_key()}
    upstream.answer(turn.failed("invalid_prompt", WHOSE).answer(), times=None)
    answered = await serving.ask(headers=headers)
    assert answered.status == 200
    error = answered.events[-1]["response"]["error"]
    assert error["code"] == "invalid_prompt"
    assert "org-AbC123" not in answered.body.decode()
    assert "bob@" not in answered.body.decode()


@pytest.mark.gen_test
async def test_a_refused_connection_is_told_as_the_network_s(serving, upstream):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    await serving.restart(upstream_base_url=f"http://127.0.0.1:{port}/backend-api")
    answered = await serving.ask()
    assert answered.status == 502
    assert answered.error["origin"] == "network"
    assert answered.error["phase"] == "connect"
    assert "retry-after" not in answered.headers


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


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_all_limited_tells_when_the_first_returns(serving, upstream, path):
    upstream.answer(faults.usage_limit(7_200, "pro"), account="one", times=None)
    upstream.answer(faults.usage_limit(3_600, "plus"), account="two", times=None)
    body = payload()
    if path == CHAT:
        body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}]}
    for asked in (1, 2):  # the second one is not even sent
        answered = await serving.ask(path, body)
        assert answered.status == 429
        error = answered.error
        assert error["type"] == error["code"] == "usage_limit_reached"
        assert error["plan_type"] == "plus"
        assert abs(error["resets_at"] - time.time() - 3_600) < 5
        # Upstream told no wait; the gateway's own state has one for the SDKs.
        is_own = asked == 2
        assert ("retry-after" in answered.headers) is (is_own and path != CODEX)
        assert len(upstream.of()) == 2
        rows = await serving.rows(asked)
        assert rows[-1]["receipt"]["passed_over"]


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_limit_is_not_told_while_another_account_is_only_recovering(
    serving, upstream, path
):
    """A client gives up at a limit, and comes back after a short wait."""
    cool(serving.account("two"), time.time(), 20.0)
    upstream.answer(faults.usage_limit(7_200), account="one", times=None)
    for _ in range(2):
        answered = await serving.ask(path)
        assert answered.status == 503
        assert answered.error["code"] == "no_accounts"
        assert 15 <= int(answered.headers["retry-after"]) <= 20
    assert accounts(upstream) == ["one"]


LAST_FAILURES = {"limit": faults.usage_limit(), "500": faults.server_error()}


@pytest.mark.parametrize("answer", LAST_FAILURES.values(), ids=LAST_FAILURES)
@pytest.mark.gen_test
async def test_a_failure_waits_for_the_account_that_recovers_in_a_moment(
    serving, upstream, answer
):
    cool(serving.account("two"), time.time(), 0.5)
    upstream.answer(answer, account="one", times=None)
    assert (await serving.ask()).status == 200
    assert accounts(upstream)[-1] == "two"


@pytest.mark.gen_test
async def test_a_used_up_window_in_the_headers_bars_the_account(serving, upstream):
    upstream.accounts["one"].primary_percent = 100
    await serving.ask()
    await serving.ask(body=payload(prompt_cache_key="another"))
    assert accounts(upstream) == ["one", "two"]


@pytest.mark.gen_test
async def test_an_expired_token_is_refreshed_and_the_request_repeated(
    serving, upstream
):
    upstream.auth.expire("one")
    answered = await serving.ask()
    assert answered.status == 200
    assert upstream.auth.refreshed == ["one"]
    assert accounts(upstream) == ["one", "one"]
    assert (await serving.ask()).status == 200
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.gen_test
async def test_fifty_requests_that_race_do_one_refresh(serving, upstream):
    upstream.auth.expire("one")
    found = await asyncio.gather(*(serving.ask() for _ in range(50)))
    assert {answered.status for answered in found} == {200}
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.gen_test
async def test_a_login_that_has_ended_moves_on_and_is_not_asked_again(
    serving, upstream
):
    upstream.auth.expire("one")
    upstream.auth.spent.add(upstream.accounts["one"].refresh_token)
    for _ in range(2):
        assert (await serving.ask()).status == 200
    assert accounts(upstream) == ["one", "two", "two"]
    assert serving.account("one").health.login_reason == "refresh_token_reused"


async def kept_as_lost(serving, name):
    """Return once the database knows."""
    table = models.AccountRow
    query = table.select().where(
        (table.name == name) & (table.state_kind == "reauth_required")
    )
    async with asyncio.timeout(5):
        while not await serving.gateway.store.read(query.count):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.gen_test
async def test_an_ended_login_serves_again_as_soon_as_it_is_imported(serving, upstream):
    account = upstream.accounts["one"]
    upstream.auth.expire("one")
    upstream.auth.spent.add(account.refresh_token)
    assert (await serving.ask()).status == 200
    await kept_as_lost(serving, "one")
    account.lifetime = 60  # its first use needs a refresh, too
    account.issue()
    account.lifetime = 864_000
    await serving.add_account("one")
    await serving.pause("two")
    assert (await serving.ask()).status == 200
    assert accounts(upstream)[-1] == "one"
    await serving.restart()
    assert (await serving.ask()).status == 200


@pytest.mark.gen_test
async def test_a_limit_holds_through_a_pause_and_a_restart(serving, upstream):
    upstream.answer(faults.usage_limit(), account="one")
    assert (await serving.ask()).status == 200
    await serving.pause("one", "two")
    await serving.restart()
    await serving.resume("one", "two")
    assert (await serving.ask()).status == 200
    assert accounts(upstream) == ["one", "two", "two"]


@pytest.mark.gen_test
async def test_a_401_that_no_judge_confirms_is_no_401_for_the_client(serving, upstream):
    upstream.answer(faults.unauthorized(), times=None)
    answered = await serving.ask()
    assert accounts(upstream) == ["one", "two"]
    assert (answered.status, answered.error["origin"]) == (502, "upstream")
    assert answered.error["message"] == faults.unauthorized().error()["message"]


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_paused_accounts_are_no_reason_to_come_back(serving, upstream, path):
    await serving.pause("one", "two")
    answered = await serving.ask(path, BODIES[path])
    assert (answered.status, answered.error["code"]) == (400, "accounts_paused")
    assert "run.py accounts resume" in answered.error["message"]
    assert "retry-after" not in answered.headers
    assert upstream.of() == []


CLIENT_S = {
    "context": faults.error_response(400, "context_length_exceeded", "too long"),
    "parameter": faults.error_response(
        400, "invalid_request_error", "bad", param="input"
    ),
    "anchor": faults.previous_response_not_found("resp_x"),
    "404": faults.error_response(404, "not_found", "no"),
    "413": faults.error_response(413, "too_large", "no"),
    "422": faults.error_response(422, "unprocessable", "no"),
}


@pytest.mark.parametrize("answer", CLIENT_S.values(), ids=CLIENT_S)
@pytest.mark.gen_test
async def test_a_verdict_on_the_request_passes_at_once(serving, upstream, answer):
    upstream.answer(answer, times=None)
    answered = await serving.ask()
    assert answered.status == answer.status
    for name, value in answer.error().items():
        assert answered.error[name] == value
    assert accounts(upstream) == ["one"]
    assert (await serving.ask(body=payload("again"))).status == answer.status
    assert accounts(upstream) == ["one", "one"]  # and the account is not blamed


@pytest.mark.gen_test
async def test_a_detail_instead_of_an_error_passes_too(serving, upstream):
    upstream.answer(ScriptedResponse.json({"detail": "Unsupported parameter: x"}, 400))
    answered = await serving.ask()
    assert answered.status == 400
    assert answered.json["detail"] == "Unsupported parameter: x"


@pytest.mark.parametrize("detail", ["Unsupported parameter: x", [{"msg": "bad x"}]])
@pytest.mark.parametrize("path", [V1, CHAT])
@pytest.mark.gen_test
async def test_a_detail_is_the_message_of_an_error_on_v1(
    serving, upstream, path, detail
):
    """The SDKs find no reason in anything else."""
    upstream.answer(ScriptedResponse.json({"detail": detail}, 400))
    answered = await serving.ask(path, BODIES[path])
    assert answered.status == 400
    assert answered.error["message"] in (detail, "bad x")
    assert answered.error["type"] == "invalid_request_error"
    assert "detail" not in answered.json


UNTYPED = b'data: {"error":{"message":"queue full","type":"%s","code":null}}\n\n'


@pytest.mark.parametrize(
    ("type", "status"), [(b"rate_limit_error", 429), (b"server_error", 502)]
)
@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_an_error_without_a_type_is_told_with_a_status(
    serving, upstream, path, type, status
):
    answer = ScriptedResponse((UNTYPED % type, b"data: [DONE]\n\n"))
    upstream.answer(answer, times=None)
    answered = await serving.ask(path, BODIES[path])
    assert (answered.status, answered.error["message"]) == (status, "queue full")
    assert set(accounts(upstream)) == {"one", "two"}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("context_length_exceeded", 400),
        ("invalid_prompt", 400),
        ("invalid_image", 400),
        ("insufficient_quota", 429),
        ("server_error", 502),
        ("of no table", 502),
    ],
)
@pytest.mark.parametrize("path", [V1, CHAT])
@pytest.mark.gen_test
async def test_a_failed_response_folded_has_the_status_of_its_code(
    serving, upstream, path, code, status
):
    """A 5xx for an SDK: the same faulty request three times."""
    upstream.answer(upstream_faults.failed_first(code, "no"), times=None)
    answered = await serving.ask(path, BODIES[path] | {"stream": False})
    assert (answered.status, answered.error["code"]) == (status, code)


@pytest.mark.gen_test
async def test_accounts_that_are_too_fast_for_a_moment_are_waited_for(
    serving, upstream
):
    too_fast = faults.error_response(429, "rate_limit_exceeded", "slower")
    upstream.answer(too_fast, times=2)
    assert (await serving.ask()).status == 200
    assert accounts(upstream) == ["one", "two", "one"]


@pytest.mark.gen_test
async def test_all_requests_of_one_client_wait_out_a_short_limit(serving, upstream):
    await serving.pause("two")
    upstream.answer(upstream_faults.rate_limited(0.3), times=20)
    asked = [
        serving.ask(body=payload(prompt_cache_key=f"c{number}")) for number in range(20)
    ]
    statuses = [answered.status for answered in await asyncio.gather(*asked)]
    assert statuses == [200] * 20


@pytest.mark.gen_test
async def test_a_short_limit_that_goes_on_is_tried_by_one_of_those_who_wait(
    serving, upstream
):
    await serving.pause("two")
    upstream.answer(upstream_faults.rate_limited(0.3), times=None)
    asked = [
        serving.ask(body=payload(prompt_cache_key=f"c{number}")) for number in range(20)
    ]
    statuses = [answered.status for answered in await asyncio.gather(*asked)]
    assert statuses == [429] * 20
    assert len(upstream.of()) == 21


@pytest.mark.gen_test
async def test_a_usage_endpoint_that_refuses_the_token_stops_no_turn(serving, upstream):
    upstream.answer(faults.unauthorized(), route="usage", times=None)
    for name in ("one", "two"):
        await serving.gateway.usage.poll(serving.account(name))
    assert (await serving.ask()).status == 200


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
async def test_a_model_nobody_has_is_named(serving, upstream):
    for name in ("one", "two"):
        await serving.gateway.catalogues.refresh(serving.account(name))
    answered = await serving.ask(body=payload(model="gpt-0"))
    assert answered.status == 400
    assert answered.error["code"] == "model_not_available"
    assert "gpt-0" in answered.error["message"]
    assert upstream.of() == []


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_no_account_at_all_is_told_as_such(serving):
    answered = await serving.ask()
    assert answered.status == 400
    assert answered.error["code"] == "no_accounts_configured"
    assert answered.error["origin"] == "account"
    assert "run.py accounts login" in answered.error["message"]
    assert "retry-after" not in answered.headers


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


@pytest.mark.settings(first_event_timeout=0.03)
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


@pytest.mark.gen_test
async def test_a_redirect_is_not_followed(serving, upstream):
    upstream.answer(
        ScriptedResponse(status=302, headers={"location": "http://evil/"}), times=None
    )
    answered = await serving.ask()
    assert answered.status == 502
    assert answered.error["origin"] == "upstream"
    assert "evil" not in answered.body.decode()


@pytest.mark.gen_test
async def test_secrets_that_upstream_quotes_do_not_reach_the_client(serving, upstream):
    token = upstream.accounts["one"].access_token
    upstream.answer(faults.error_response(400, "invalid", f"bad token {token} here"))
    answered = await serving.ask()
    assert answered.status == 400
    assert token not in answered.body.decode()
    (row,) = await serving.rows()
    assert token not in str(row)


@pytest.mark.gen_test
async def test_when_no_account_is_left_after_attempts_upstreams_answer_is_told(
    serving, upstream
):
    """The second account is taken away while the request waits for it."""
    pool, two = serving.gateway.pool, serving.account("two")
    two.in_flight = two.cap
    no_plan = faults.error_response(429, "usage_not_included", "no plan")
    upstream.answer(no_plan, account="one")
    asked = asyncio.create_task(serving.ask())
    async with asyncio.timeout(10):
        while not pool.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    two.in_flight = 0
    two.health.pause()
    pool.serve_queue()
    answered = await asked
    assert (answered.status, answered.error["code"]) == (429, "usage_not_included")
