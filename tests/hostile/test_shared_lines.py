"""One key fills the line for the accounts: others get their turn all the same."""

import asyncio

import pytest

from gateway.demo.events import ScriptedTurn
from tests.serving import payload, turn_on, until

pytestmark = pytest.mark.hostile

GREEDY = 20  # turns at a time of one key, each followed by the next at once
FORMS = [
    # Other keys, turns of each, seconds of a turn.
    pytest.param(3, 10, 0.004, id="short"),
    pytest.param(3, 60, 0.05, id="whole", marks=pytest.mark.nightly),
]


def answer_after(seconds):
    def plan(received):
        turn = ScriptedTurn(received.payload["model"])
        return turn.text("ok").completed().answer().after(seconds)

    return plan


class HttpClient:
    def __init__(self, serving, token):
        self._serving = serving
        self._headers = {"x-api-key": token}

    async def ask(self):
        return (await self._serving.ask(headers=self._headers)).status


class SocketClient(HttpClient):
    _ws = None

    async def ask(self):
        self._ws = self._ws or await self._serving.socket(headers=self._headers)
        last = (await turn_on(self._ws, payload()))[-1]
        return 200 if last["type"] == "response.completed" else last["status"]


@pytest.mark.parametrize("client", [HttpClient, SocketClient])
@pytest.mark.parametrize(("others", "turns", "seconds"), FORMS)
@pytest.mark.accounts("one")
@pytest.mark.gen_test(timeout=120)
async def test_a_greedy_key_leaves_others_their_turns(
    serving, upstream, client, others, turns, seconds
):
    upstream.answer(answer_after(seconds), times=None)
    greedy = await serving.add_key("greedy")
    tokens = [await serving.add_key(f"other{n}") for n in range(others)]
    serving.account("one").concurrency = 1  # thus four places in the line
    refused = []

    async def take_all():
        mine = client(serving, greedy)
        while True:
            refused.append(await mine.ask() == 503)

    async def come_along(token):
        mine = client(serving, token)
        return [await mine.ask() for _ in range(turns)]

    attack = [asyncio.create_task(take_all()) for _ in range(GREEDY)]
    await until(lambda: any(refused))
    answers = await asyncio.gather(*map(come_along, tokens))
    for task in attack:
        task.cancel()
    await asyncio.gather(*attack, return_exceptions=True)
    assert answers == [[200] * turns] * others
    assert not all(refused)  # nor is the greedy one shut out
