"""The real Codex CLI, while one of two accounts is lost for good: nothing is seen."""

import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from tests.e2e.asking import ALL_DONE, RESUME, ask, calls, said, texts, types
from tests.serving import accounts

pytestmark = pytest.mark.failures


def end_login(upstream):
    upstream.auth.expire("one")
    upstream.auth.spent.add(upstream.accounts["one"].refresh_token)


def refuses(answer):
    return lambda upstream: upstream.answer(answer, account="one", times=None)


LOSSES = {
    "refresh expired": end_login,
    "deactivated": refuses(faults.error_response(403, "account_deactivated", "Closed")),
    "workspace": refuses(
        ScriptedResponse.json({"detail": {"code": "deactivated_workspace"}}, 402)
    ),
}


@pytest.mark.parametrize("number", range(len(LOSSES)), ids=LOSSES)
@pytest.mark.gen_test(timeout=90)
async def test_an_account_lost_between_two_prompts_is_not_seen(upstream, user, number):
    lose = list(LOSSES.values())[number]
    cli = user(websockets=number % 2 == 0, newest=True)
    assert "first" in said(await ask(cli, "first"))
    lose(upstream)
    assert "second" in said(await ask(cli, "second", *RESUME))
    assert accounts(upstream)[0] == "one"
    assert accounts(upstream)[-1] == "two"
    assert texts(upstream.of()[-1]) == ["first", "second"]


@pytest.mark.parametrize("number", range(len(LOSSES)), ids=LOSSES)
@pytest.mark.gen_test(timeout=90)
async def test_an_account_lost_inside_a_tool_loop_is_not_seen(upstream, user, number):
    lose = list(LOSSES.values())[number]

    def answer(received):
        lose(upstream)  # before the next request, which brings what the tool said
        return calls("echo ran >> proof").answer()

    upstream.answer(answer)
    cli = user(websockets=number % 2 == 1)
    assert said(await ask(cli, "work")) == ALL_DONE
    assert (cli.workdir / "proof").read_text() == "ran\n"
    assert accounts(upstream)[-1] == "two"
    last = upstream.of()[-1]
    assert texts(last) == ["work"]
    assert types(last)[-2:] == ["function_call", "function_call_output"]
