"""The real Codex CLI, while accounts, sockets and tokens fail: nothing is seen."""

import re
import time

import pytest

from gateway.demo import faults
from gateway.demo.answers import Close, Cut
from gateway.demo.events import ScriptedTurn
from tests.e2e.asking import ALL_DONE, RESUME, ask, calls, said, texts, types
from tests.e2e.test_codex_cli import CODEX, login
from tests.serving import accounts

pytestmark = pytest.mark.failures

BOTH = pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_limit_between_two_prompts_is_not_seen(upstream, user, websockets):
    cli = user(websockets=websockets)
    assert "first" in said(await ask(cli, "first"))
    upstream.answer(faults.usage_limit(), account="one", times=None)
    assert "second" in said(await ask(cli, "second", *RESUME))
    assert "third" in said(await ask(cli, "third", *RESUME))
    assert accounts(upstream) == ["one", "one", "two", "two"]
    assert texts(upstream.of()[-1]) == ["first", "second", "third"]


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_limit_inside_a_tool_loop_is_not_seen(upstream, user, websockets):
    upstream.answer(calls("echo ran >> proof").answer())
    upstream.answer(faults.usage_limit(), account="one", times=None)
    cli = user(websockets=websockets)
    assert said(await ask(cli, "work")) == ALL_DONE
    assert (cli.workdir / "proof").read_text() == "ran\n"
    assert accounts(upstream)[0] == "one"
    assert accounts(upstream)[-1] == "two"
    last = upstream.of()[-1]
    assert texts(last) == ["work"]
    assert types(last)[-2:] == ["function_call", "function_call_output"]


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_all_limited_tells_the_user_the_first_return(upstream, user, websockets):
    cli = user(websockets=websockets)
    said(await ask(cli, "first"))
    upstream.answer(faults.usage_limit(7_200), account="one", times=None)
    upstream.answer(faults.usage_limit(3_600), account="two", times=None)
    for _ in range(2):
        run = await ask(cli, "second", *RESUME)
        assert run.returncode != 0
        assert "hit your usage limit" in run.stderr
        assert "Reconnecting" not in run.stderr
        told = re.search(r"try again at [^.]*?(\d+:\d\d [AP]M)", run.stderr)
        assert told is not None, run.stderr
        # The client knows no zone but that of the machine; it tells whole minutes.
        around = (time.time() + 3_600 - second for second in (0, 30, 60, 90))
        shown = {time.strftime("%I:%M %p", time.localtime(at)) for at in around}
        assert told[1] in {text.lstrip("0") for text in shown}
    assert accounts(upstream) == ["one", "one", "two"]


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_paused_accounts_end_the_run_at_once(upstream, user, pair, websockets):
    for account in upstream.accounts.values():
        await pair.run("accounts", "pause", account.email)
    run = await ask(user(websockets=websockets), "first")
    assert run.returncode != 0
    assert "run.py accounts resume" in run.stderr
    assert "Reconnecting" not in run.stderr
    assert upstream.of() == []


LOST_BETWEEN = {"reset": Cut.RESET, "gone": Cut.EOF, "closed": Close(1000)}


@pytest.mark.parametrize("how", LOST_BETWEEN.values(), ids=LOST_BETWEEN)
@pytest.mark.gen_test(timeout=90)
async def test_a_socket_lost_between_turns_is_not_seen(upstream, user, how):
    upstream.answer(*calls("echo ran >> proof").events, how)
    cli = user(websockets=True)
    assert said(await ask(cli, "work")) == ALL_DONE
    assert (cli.workdir / "proof").read_text() == "ran\n"
    first, *_, last = upstream.of()
    assert first.connection != last.connection
    assert accounts(upstream) == ["one", "one"]
    assert "previous_response_id" not in last.payload
    assert texts(last) == ["work"]
    assert types(last)[-2:] == ["function_call", "function_call_output"]


# Events of a plain turn: created, in_progress | added, part, delta, delta, …
LOST_INSIDE = {"before the commit": 2, "after the commit": 5}


@pytest.mark.parametrize("how", [Cut.RESET, Close(1012)], ids=["reset", "closed"])
@pytest.mark.parametrize("events", LOST_INSIDE.values(), ids=LOST_INSIDE)
@pytest.mark.gen_test(timeout=90)
async def test_a_socket_lost_inside_a_first_turn_is_not_seen(
    upstream, user, events, how
):
    turn = ScriptedTurn().text("half an answer").completed()
    upstream.answer(*turn.events[:events], how)
    run = await ask(user(websockets=True), "good morning")
    assert said(run).endswith("You said: good morning")
    assert accounts(upstream) == ["one", "one"]


@pytest.mark.parametrize("how", [Cut.RESET, Close(1012)], ids=["reset", "closed"])
@pytest.mark.parametrize("events", LOST_INSIDE.values(), ids=LOST_INSIDE)
@pytest.mark.gen_test(timeout=90)
async def test_a_socket_lost_inside_a_tool_loop_is_not_seen(
    upstream, user, events, how
):
    upstream.answer(calls("echo ran >> proof").answer())
    upstream.answer(*ScriptedTurn().text("half an answer").events[:events], how)
    cli = user(websockets=True)
    assert said(await ask(cli, "work")) == ALL_DONE
    assert (cli.workdir / "proof").read_text() == "ran\n"
    last = upstream.of()[-1]
    assert types(last)[-2:] == ["function_call", "function_call_output"]
    assert set(accounts(upstream)) == {"one"}


@pytest.mark.parametrize("events", LOST_INSIDE.values(), ids=LOST_INSIDE)
@pytest.mark.gen_test(timeout=90)
async def test_a_stream_lost_inside_a_turn_is_repeated(upstream, user, events):
    turn = ScriptedTurn().text("half an answer").completed()
    upstream.answer(*turn.events[:events], Cut.RESET)
    run = await ask(user(websockets=False), "good morning")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip().endswith("You said: good morning")
    # The client itself says so once it has seen a part of the answer.
    assert ("Reconnecting" in run.stderr) is (events == LOST_INSIDE["after the commit"])
    assert accounts(upstream) == ["one", "one"]


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_token_that_upstream_refuses_is_refreshed_once(
    upstream, user, websockets
):
    cli = user(websockets=websockets)
    said(await ask(cli, "first"))
    upstream.auth.expire("one")
    assert "second" in said(await ask(cli, "second", *RESUME))
    assert "third" in said(await ask(cli, "third", *RESUME))
    assert upstream.auth.refreshed == ["one"]
    assert set(accounts(upstream)) == {"one"}


@BOTH
@pytest.mark.gen_test(timeout=90)
async def test_a_token_that_has_expired_is_refreshed_before_it_is_used(
    upstream, start_gateway, account, codex, websockets
):
    account.lifetime = -60.0
    account.issue()

    async def time_passes(gateway):
        account.lifetime = 3_600.0

    gateway = await start_gateway(before_start=time_passes)
    cli = codex()
    login(cli, "key")
    cli.configure(gateway.url + CODEX, websockets=websockets)
    assert "first" in said(await ask(cli, "first"))
    assert "second" in said(await ask(cli, "second", *RESUME))
    assert upstream.auth.refreshed == ["one"]
    (first, second) = upstream.of()
    for turn in (first, second):
        assert turn.headers["authorization"] == f"Bearer {account.access_token}"
