"""The real Codex CLI, through the gateway, against the scripted upstream."""

import pytest

from gateway.demo.accounts import DemoAccount
from gateway.demo.events import ScriptedTurn, usage

pytestmark = pytest.mark.slow

UNSANDBOXED = "--dangerously-bypass-approvals-and-sandbox"
CODEX = "/backend-api/codex"
GREETING = "Hello from the scripted upstream. You said: good morning"


def login(cli, kind, account=None):
    """`kind` is "key" or "tokens"; the user's account is none of the gateway's."""
    if kind == "key":
        cli.login_with_key("sk-fake-users-own-key")
    else:
        user = account or DemoAccount("user")
        cli.login_with_tokens(user.auth_document())


def answered(upstream):
    """The turns that reached upstream, prewarming left out."""
    return upstream.of("responses")


@pytest.mark.parametrize("kind", ["key", "tokens"])
@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_exec_answers(upstream, account, gateway, codex, kind, websockets):
    cli = codex()
    login(cli, kind)
    cli.configure(
        gateway.url + CODEX,
        websockets=websockets,
        chatgpt_base_url=gateway.url + "/backend-api",
    )
    run = await cli.exec("good morning")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == GREETING
    assert "ERROR" not in run.stderr
    assert "Reconnecting" not in run.stderr
    (turn,) = answered(upstream)
    assert turn.transport == ("websocket" if websockets else "http")
    assert turn.account == account.name
    assert turn.headers["authorization"] == f"Bearer {account.access_token}"
    assert turn.headers["originator"] == "codex_exec"


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.1-sol"])
@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_a_tool_loop_takes_two_turns(upstream, gateway, codex, model, websockets):
    cli = codex()
    login(cli, "tokens")
    cli.configure(gateway.url + CODEX, model=model, websockets=websockets)
    run = await cli.exec("demo:tool(echo the-tool-ran > proof)", UNSANDBOXED)
    assert run.returncode == 0, run.stderr
    assert (cli.workdir / "proof").read_text() == "the-tool-ran\n"
    assert "all done" in run.stdout
    first, second = answered(upstream)
    assert len(second.history) == len(first.history) + 2
    if websockets:
        assert first.connection == second.connection
        assert second.payload["previous_response_id"]
    else:
        state = "x-codex-turn-state"
        assert second.headers[state] == f"turn-of-{second.account}"


@pytest.mark.gen_test(timeout=90)
async def test_a_provider_named_openai_in_capitals_sends_zstd(upstream, gateway, codex):
    cli = codex()
    login(cli, "tokens")
    cli.configure(gateway.url + CODEX + "/v1", name="OpenAI", websockets=False)
    run = await cli.exec("good morning")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == GREETING
    (turn,) = answered(upstream)
    assert turn.path == CODEX + "/responses"
    assert turn.payload["model"] == "gpt-5.5"
    assert turn.headers.get("content-encoding", "") == ""  # decoded by the gateway
    assert turn.headers["x-codex-routing-hint"] == "model=gpt-5.5"


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_a_full_context_is_compacted(upstream, gateway, codex, websockets):
    turn = ScriptedTurn().function_call("exec_command", {"cmd": "echo much"})
    upstream.answer(turn.completed(usage(input_tokens=100_000)).answer())
    cli = codex()
    login(cli, "tokens")
    cli.configure(gateway.url + CODEX + "/v1", name="OpenAI", websockets=websockets)
    limit = ("-c", "model_auto_compact_token_limit=50000")
    run = await cli.exec("good morning", UNSANDBOXED, *limit)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == GREETING
    called, compacted, went_on = answered(upstream)
    assert compacted.history[-1] == {"type": "compaction_trigger"}
    assert "compaction" in [item["type"] for item in went_on.history]
    assert "function_call" not in [item["type"] for item in went_on.history]
    assert called.account == compacted.account == went_on.account


@pytest.mark.gen_test(timeout=90)
async def test_v1_serves_codex_too(upstream, gateway, codex):
    cli = codex()
    login(cli, "key")
    cli.configure(gateway.url + "/v1", websockets=True)
    run = await cli.exec("good morning")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == GREETING


@pytest.mark.parametrize(
    "case",
    [
        ("openai", CODEX, "tokens", True),
        ("openai", CODEX, "tokens", False),
        ("openai", CODEX, "key", True),
        ("openai", CODEX, "key", False),
        ("OpenAI", CODEX + "/v1", "tokens", True),
        ("OpenAI", CODEX + "/v1", "tokens", False),
    ],
)
@pytest.mark.gen_test(timeout=120)
async def test_nothing_is_printed_that_a_perfect_upstream_would_not_cause(
    upstream, account, gateway, codex, case
):
    name, path, kind, websockets = case

    async def printed(base):
        cli = codex()
        login(cli, kind, account)
        cli.configure(
            base + path,
            name=name,
            websockets=websockets,
            chatgpt_base_url=base + "/backend-api",
        )
        run = await cli.exec("demo:tool(echo same)", UNSANDBOXED)
        assert run.returncode == 0, run.stderr
        return run.masked()

    direct = await printed(upstream.url)
    assert "ERROR" not in direct
    assert "WARNING" not in direct
    assert await printed(gateway.url) == direct


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_an_exhausted_account_tells_the_user_when_to_come_back(
    upstream, gateway, codex, websockets
):
    cli = codex()
    login(cli, "tokens")
    cli.configure(gateway.url + CODEX, websockets=websockets)
    run = await cli.exec("demo:usage_limit")
    assert run.returncode != 0
    assert "hit your usage limit" in run.stderr
    assert "try again at" in run.stderr
    assert "Reconnecting" not in run.stderr
    assert len(answered(upstream)) == 1
