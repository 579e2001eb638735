"""Turns that build on their socket's earlier ones, when its account fails them."""

import pytest

from gateway.demo import faults
from gateway.demo.answers import Close, Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests import upstream_faults
from tests.serving import accounts, payload, turn_on, user


async def anchored(ws):
    """The payload of a second turn: the new item only, as Codex sends it."""
    first = await turn_on(ws)
    assert first[-1]["type"] == "response.completed"
    anchor = first[-1]["response"]["id"]
    return payload(input=[user("go on")], previous_response_id=anchor)


# What another account can make good, once it is sent the whole history.
FAILURES = {
    "usage limit": faults.usage_limit(),
    "limit in a stream": upstream_faults.failed_first("usage_limit_reached", "limit"),
    "too fast": upstream_faults.rate_limited(1.5),
    "quota": faults.error_response(429, "insufficient_quota", "no money"),
    "500": faults.server_error(),
    "503 with a wait": faults.unavailable(120),
    "overloaded": faults.overloaded(),
    "unauthorised": faults.unauthorized(),
    "forbidden": ScriptedResponse((b"<title>Just a moment...</title>",), 403),
    "reset": ScriptedResponse((Cut.RESET,)),
    "closed": ScriptedResponse((Close(1012),)),
    "its age": faults.error_response(
        400, "websocket_connection_limit_reached", "60 min"
    ),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
@pytest.mark.gen_test
async def test_the_client_is_asked_for_its_history_when_another_account_can_go_on(
    serving, upstream, answer
):
    async with serving.socket() as ws:
        body = await anchored(ws)
        upstream.answer(answer, account="one", times=None)
        (frame,) = await turn_on(ws, body)
        assert (frame["type"], frame["status"]) == ("error", 400)
        assert frame["error"]["code"] == "previous_response_not_found"
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert accounts(upstream)[-1] == "two"


@pytest.mark.gen_test
async def test_a_limit_is_told_when_all_accounts_have_it(serving, upstream):
    async with serving.socket() as ws:
        body = await anchored(ws)
        upstream.answer(faults.usage_limit(30), account="two", times=None)
        await serving.ask(body=payload(prompt_cache_key="other"))
        serving.account("two").health.set_limit(0.0, "primary", 4e9)
        upstream.answer(faults.usage_limit(), account="one", times=None)
        (frame,) = await turn_on(ws, body)
        assert frame["error"]["code"] == "usage_limit_reached"


@pytest.mark.parametrize(
    "answer",
    [
        faults.error_response(400, "context_length_exceeded", "long", param="input"),
        ScriptedTurn().failed("invalid_prompt", "Not this one.").answer(),
    ],
    ids=["refusal", "failed"],
)
@pytest.mark.gen_test
async def test_a_verdict_on_the_request_is_the_client_s(serving, upstream, answer):
    async with serving.socket() as ws:
        body = await anchored(ws)
        upstream.answer(answer, times=None)
        last = (await turn_on(ws, body))[-1]
        error = last.get("error") or last["response"]["error"]
        assert error["code"] in ("context_length_exceeded", "invalid_prompt")
    assert accounts(upstream) == ["one", "one"]


@pytest.mark.accounts("one")
@pytest.mark.gen_test
async def test_a_lone_account_s_failure_is_told_as_it_is(serving, upstream):
    async with serving.socket() as ws:
        body = await anchored(ws)
        upstream.answer(faults.usage_limit(), times=None)
        (frame,) = await turn_on(ws, body)
        assert frame["error"]["code"] == "usage_limit_reached"
