"""Limits of accounts over HTTP: which are told, and which are waited out."""

import asyncio
import time

import pytest

from gateway.accounts.eligibility import Demand
from gateway.accounts.wait_queue import SHORTEST_QUEUE
from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from tests import upstream_faults
from tests.gateway.accounts.pools import cool
from tests.serving import CHAT, CODEX, V1, accounts, payload


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
async def test_a_limit_holds_through_a_pause_and_a_restart(serving, upstream):
    upstream.answer(faults.usage_limit(), account="one")
    assert (await serving.ask()).status == 200
    await serving.pause("one", "two")
    await serving.restart()
    await serving.resume("one", "two")
    assert (await serving.ask()).status == 200
    assert accounts(upstream) == ["one", "two", "two"]


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
async def test_all_requests_wait_out_a_window_that_has_just_ended(serving, upstream):
    """They had waited for its end together, and were all told of it once more."""
    await serving.pause("two")
    upstream.answer(faults.usage_limit(0), times=20)
    asked = [
        serving.ask(body=payload(prompt_cache_key=f"c{number}")) for number in range(20)
    ]
    statuses = [answered.status for answered in await asyncio.gather(*asked)]
    assert statuses == [200] * 20


@pytest.mark.gen_test
async def test_a_limit_is_not_told_while_another_account_is_only_full(
    serving, upstream
):
    full, pool = serving.account("two"), serving.gateway.pool
    full.concurrency = full.in_flight = 1
    wanted = frozenset({full.id})
    others = [
        asyncio.ensure_future(pool.lease(Demand(key_id=n, allowed_accounts=wanted)))
        for n in range(SHORTEST_QUEUE)
    ]
    upstream.answer(faults.usage_limit(7_200), account="one", times=None)
    answered = await serving.ask()
    assert (answered.status, answered.error["code"]) == (503, "gateway_overloaded")
    assert answered.headers["retry-after"] == "5"
    for one in others:
        one.cancel()
    await asyncio.wait(others)


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


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_lack_of_quota_is_told_as_one_and_without_a_time(
    serving, upstream, path
):
    """It was told as a usage limit, with an end of ten minutes that nobody knew."""
    workspace = {"detail": {"code": "deactivated_workspace"}}
    no_money = faults.error_response(429, "insufficient_quota", "no money")
    upstream.answer(ScriptedResponse.json(workspace, 402), account="one", times=None)
    upstream.answer(no_money, account="two", times=None)
    assert (await serving.ask(path)).error["message"] == "no money"
    answered = await serving.ask(path)
    assert answered.status == 429
    assert answered.error["type"] == answered.error["code"] == "insufficient_quota"
    assert "upstream's code" in answered.error["message"]
    assert "resets_at" not in answered.error
    assert "retry-after" not in answered.headers
    assert accounts(upstream) == ["one", "two"]


@pytest.mark.gen_test
async def test_of_quota_and_a_window_the_windows_return_is_told(serving, upstream):
    no_money = faults.error_response(429, "insufficient_quota", "no money")
    upstream.answer(no_money, account="one", times=None)
    upstream.answer(faults.usage_limit(3_600), account="two", times=None)
    for _ in range(2):
        error = (await serving.ask()).error
        assert error["code"] == "usage_limit_reached"
        assert abs(error["resets_at"] - time.time() - 3_600) < 5
    assert accounts(upstream) == ["one", "two"]


@pytest.mark.gen_test
async def test_a_limit_told_in_the_stream_is_so_after_a_vain_wait(serving, upstream):
    """It came with a status when both accounts had met it in the same moment."""
    limit = upstream_faults.failed_first(
        "rate_limit_exceeded", "Please try again in 0.1s."
    )
    upstream.answer(limit, times=None)
    answered = await serving.ask()
    assert (answered.status, answered.types[-1]) == (200, "response.failed")
    assert answered.events[-1] == limit.steps[-1]
    assert accounts(upstream) in (["one", "two", "one"], ["one", "two", "two"])
