"""Banked resets, as the owner looks at them and uses one."""

import time

import pytest

from gateway.demo.answers import ScriptedResponse
from tests.handlers.admin.operators import audit
from tests.handlers.api.test_side_calls import RESETS, banked, script_resets

PATH = "/api/accounts/one/resets"
USED = ScriptedResponse.json({"code": "reset", "windows_reset": 2})

pytestmark = pytest.mark.gen_test(timeout=20)


async def test_a_reset_lifts_the_limit_of_its_account(serving, operator, upstream):
    script_resets(upstream, {"one": banked(1)}, [USED])
    serving.limit("one", 3_600)
    assert (await operator.call("GET", PATH)).json["available_count"] == 1
    polls = len(upstream.of("usage"))
    used = (await operator.post(PATH)).json
    assert (used["account"], used["outcome"]) == ("one", "reset")
    (use,) = [one for one in upstream.of("side") if one.path != RESETS]
    assert (use.path, use.account) == (f"{RESETS}/consume", "one")
    assert list(use.payload) == ["redeem_request_id"]
    assert serving.account("one").health.status(time.time()).value == "active"
    assert len(upstream.of("usage")) > polls  # how full its windows are now
    assert (await audit(serving))[-1] == ("api", "account.use_reset", "one")


async def test_without_one_nothing_changes(serving, operator, upstream):
    refused = ScriptedResponse.json({"code": "no_credit"})
    script_resets(upstream, {"one": banked(0)}, [refused])
    serving.limit("one", 3_600)
    assert (await operator.post(PATH)).json["outcome"] == "no_credit"
    assert serving.account("one").health.status(time.time()).value == "limited"


async def test_upstream_s_refusal_is_told(serving, operator, upstream):
    error = ScriptedResponse.json({"detail": "no such thing"}, 404)
    upstream.answer(error, route="side", times=None)
    for answered in (await operator.call("GET", PATH), await operator.post(PATH)):
        assert answered.status == 502
        assert "no such thing" in answered.error["message"]


async def test_accounts_with_a_key_have_no_windows(serving, operator):
    await serving.add_api_key_account()
    answered = await operator.post("/api/accounts/paid/resets")
    assert (answered.status, answered.error["param"]) == (400, "name")
