"""What editors ask of the newest client's app-server, and it of the gateway."""

import pytest

from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import ScriptedResponse
from tests.e2e.app_server import running

pytestmark = [pytest.mark.clients, pytest.mark.gen_test(timeout=90)]

CALLS = [
    ("account/read", {}),
    ("account/rateLimits/read", None),
    ("account/usage/read", None),
    ("account/usage/read", {"threadId": "01970000-0000-7000-8000-000000000000"}),
    ("account/workspaceMessages/read", None),
    ("account/securitySetup/read", None),
    ("accountSession/list", {}),
    ("model/list", {}),
    ("modelProvider/list", {}),
    ("modelProvider/capabilities/read", {}),
    ("plugin/list", {}),
    ("plugin/list", {"marketplaceKinds": ["workspace-directory"]}),
    ("plugin/list", {"marketplaceKinds": ["shared-with-me"]}),
    ("plugin/installed", {}),
    ("plugin/search", {"searchTerm": "git"}),
    ("plugin/reconcile", {}),
    ("plugin/share/list", {}),
    ("app/list", {}),
    ("app/installed", {}),
    ("app/read", {"appIds": ["x"]}),
    ("skills/list", {}),
    ("mcpServerStatus/list", {}),
    ("configRequirements/read", None),
    ("thread/start", {}),
]
# What only the owner may do, and what of the refusal an editor's user reads.
REFUSED = [
    (
        "account/rateLimitResetCredit/consume",
        {"idempotencyKey": "x"},
        "run.py accounts resets NAME --use",
    ),
    (
        "account/sendAddCreditsNudgeEmail",
        {"creditType": "credits"},
        "the gateway's owner",
    ),
]


@pytest.fixture
def editor(gateway, codex):
    """A newest CLI that asks the gateway whatever it asks: `editor(plan)`."""

    def make(plan):
        cli = codex(newest=True)
        cli.login_with_tokens(DemoAccount("user", plan=plan).auth_document())
        cli.configure(
            gateway.url + "/backend-api/codex",
            chatgpt_base_url=gateway.url + "/backend-api",
        )
        return cli

    return make


@pytest.mark.parametrize("plan", ["plus", "business"])
async def test_no_call_of_an_editor_ends_in_an_error(editor, plan):
    async with running(editor(plan)) as server:
        failed = []
        for method, params in CALLS:
            try:
                told = await server.call(method, params)
            except RuntimeError as error:
                failed.append(str(error))
            if method == "mcpServerStatus/list":
                assert [one.get("toolsError") for one in told["data"]] == [None]
        assert failed == []
        for method, params, words in REFUSED:
            with pytest.raises(RuntimeError, match=words):
                await server.call(method, params)


async def test_an_editor_shows_the_account_s_windows_and_resets(editor, upstream):
    credit = {
        "id": "r1",
        "reset_type": "codex_rate_limits",
        "status": "available",
        "granted_at": "2026-11-01T00:00:00Z",
    }
    banked = {"available_count": 1, "credits": [credit]}
    upstream.answer(ScriptedResponse.json(banked), route="side", times=None)
    async with running(editor("plus")) as server:
        told = await server.call("account/rateLimits/read")
    assert told["rateLimitResetCredits"]["availableCount"] == 1
    assert told["rateLimitResetCredits"]["credits"][0]["id"] == "r1"
    window = told["rateLimits"]["primary"]
    assert (window["usedPercent"], window["windowDurationMins"]) == (12, 300)
