"""The real Codex CLI, while its conversation moves or its gateway restarts."""

import asyncio

import pytest

from gateway.demo.events import ScriptedTurn, usage
from tests.e2e.asking import (
    ALL_DONE,
    RESUME,
    Waiting,
    ask,
    said,
    texts,
    types,
)
from tests.e2e.test_codex_cli import CODEX, login
from tests.serving import accounts

pytestmark = pytest.mark.failures

BOTH = pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])


@pytest.mark.parametrize("action", ["pause", "remove"])
@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_history_with_sealed_reasoning_moves_between_two_prompts(
    upstream, pair, account, user, websockets, action
):
    cli = user(websockets=websockets)
    said(await ask(cli, "demo:reasoning(deep)"))
    assert "second" in said(await ask(cli, "second", *RESUME))
    assert "reasoning" in types(upstream.of()[-1])  # it is at home there
    await pair.run("accounts", action, account.email)
    assert "third" in said(await ask(cli, "third", *RESUME))
    assert accounts(upstream) == ["one", "one", "two"]
    assert "reasoning" not in types(upstream.of()[-1])
    assert texts(upstream.of()[-1])[1:] == ["second", "third"]


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_history_with_sealed_reasoning_moves_inside_a_tool_loop(
    upstream, pair, account, user, websockets
):
    cli = user(websockets=websockets)
    said(await ask(cli, "demo:reasoning(deep)"))
    tool = Waiting(upstream, cli)
    running = asyncio.create_task(ask(cli, "go on", *RESUME))
    await tool.begun()
    await pair.run("accounts", "pause", account.email)
    tool.end()
    assert said(await running) == ALL_DONE
    assert accounts(upstream) == ["one", "one", "two"]
    last = upstream.of()[-1]
    assert "reasoning" not in types(last)
    assert types(last)[-2:] == ["function_call", "function_call_output"]


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_sealed_reasoning_that_a_restarted_gateway_does_not_know_moves_too(
    upstream, pair, account, user, websockets
):
    cli = user(websockets=websockets)
    said(await ask(cli, "demo:reasoning(deep)"))
    await pair.stop()
    await pair.run("accounts", "pause", account.email)
    await pair.start()
    assert "second" in said(await ask(cli, "second", *RESUME))
    assert set(accounts(upstream)[1:]) == {"two"}
    assert "reasoning" not in types(upstream.of()[-1])


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_compacted_history_whose_account_is_gone_is_explained(
    upstream, pair, account, codex, websockets
):
    cli = codex()
    login(cli, "tokens")
    base = pair.url + CODEX + "/v1"
    cli.configure(
        base,
        name="OpenAI",
        websockets=websockets,
        chatgpt_base_url=pair.url + "/backend-api",
    )
    call = ScriptedTurn().function_call("exec_command", {"cmd": "echo much"})
    upstream.answer(call.completed(usage(100_000)).answer())
    limit = ("-c", "model_auto_compact_token_limit=50000")
    said(await ask(cli, "first", *limit))
    assert "compaction" in types(upstream.of()[-1])
    count = len(upstream.of())
    await pair.run("accounts", "pause", account.email)
    run = await ask(cli, "second", *RESUME)
    assert run.returncode != 0
    assert "no longer available" in run.stderr
    assert len(upstream.of()) == count


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_conversation_keeps_its_account_over_a_restart(
    upstream, pair, account, user, websockets
):
    cli = user(websockets=websockets)
    await pair.run("accounts", "pause", account.email)
    said(await ask(cli, "first"))
    await pair.run("accounts", "resume", account.email)
    await pair.stop()
    await pair.start()
    said(await ask(cli, "second", *RESUME))
    assert accounts(upstream) == ["two", "two"]
    said(await ask(user(websockets=websockets), "somebody else"))
    assert accounts(upstream)[-1] == "one"


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_restart_inside_a_tool_loop_is_not_seen(
    upstream, pair, account, user, websockets
):
    cli = user(websockets=websockets)
    tool = Waiting(upstream, cli)
    await pair.run("accounts", "pause", account.email)
    running = asyncio.create_task(ask(cli, "work"))
    await tool.begun()
    await pair.run("accounts", "resume", account.email)
    await pair.stop()
    await pair.start()
    tool.end()
    assert said(await running) == ALL_DONE
    assert accounts(upstream) == ["two", "two"]
    assert texts(upstream.of()[-1]) == ["work"]
    assert types(upstream.of()[-1])[-2:] == ["function_call", "function_call_output"]


@pytest.mark.gen_test(timeout=90)
async def test_a_restart_inside_an_answer_lets_it_end(upstream, pair, user):
    gate = asyncio.Event()
    turn = ScriptedTurn().text("a long answer").completed()
    upstream.answer(*turn.events[:5], gate, *turn.events[5:])
    cli = user(websockets=True)
    running = asyncio.create_task(ask(cli, "work"))
    await upstream.arrived()
    stopping = asyncio.create_task(pair.stop())
    gate.set()
    assert said(await running) == "a long answer"
    await stopping
    await pair.start()
    assert "again" in said(await ask(cli, "again", *RESUME))
    assert accounts(upstream) == ["one", "one"]
