"""The real Codex CLI whose turn the operator stops: it says so, and asks no more."""

import asyncio
import json
from functools import partial

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.e2e.asking import UNSANDBOXED
from tests.e2e.conftest import account, codex, pair, start_gateway, user

__all__ = ["account", "codex", "pair", "start_gateway", "user"]

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=60)]

TURN = ScriptedTurn().text("one two three").completed()
PATIENCE = 30


async def turn_in(gateway, phase):
    """The turn that is in the phase, once there is one; prewarming is none."""
    async with asyncio.timeout(PATIENCE):
        while True:
            lines = (await gateway.run("turns", "--json")).splitlines()
            for turn in map(json.loads, lines):
                if turn["phase"] == phase:
                    return turn


async def test_codex_says_who_stopped_it(upstream, user, pair):
    """Over both transports, before any output and inside the answer."""
    for phase, number in (("thinking", 2), ("answering", 6)):
        upstream.script.rules.clear()
        upstream.answer(partial(answer, TURN.events[:number]), times=None)
        # Over HTTP, a refusal is one like any other.
        for websockets in (True, False)[: 1 + (phase == "answering")]:
            before = len(asked(upstream))
            cli = user(websockets=websockets, newest=True)
            running = asyncio.create_task(cli.exec("hello", UNSANDBOXED))
            turn = await turn_in(pair, phase)
            assert "Stopped" in await pair.run("turns", "cut", turn["id"][:10])
            run = await running
            assert "stopped by the operator" in run.stderr + run.stdout
            assert len(asked(upstream)) == before + 1
    assert await pair.run("turns") == "No turn is running.\n"
    rows = [json.loads(one) for one in (await pair.run("logs", "--json")).splitlines()]
    stopped = [one for one in rows if one["error_code"] == "stopped_by_operator"]
    assert len(stopped) == 3


def answer(events, received):
    """The events and no end; prewarming is answered."""
    if received.payload.get("generate") is False:
        return ScriptedTurn().completed().answer()
    return ScriptedResponse((*events, asyncio.Event()))


def asked(upstream):
    """What was to be answered; prewarming is not."""
    return [one for one in upstream.of() if one.payload.get("generate") is not False]
