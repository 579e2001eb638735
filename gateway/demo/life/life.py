"""Plays the people of the demo: their keys, their past days, their turns of now."""

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress

import aiohttp

from gateway.admin import keys
from gateway.app import Gateway
from gateway.demo.accounts import DemoAccount
from gateway.demo.life.past import PastTurn, move_to_past
from gateway.demo.life.people import PEOPLE, DemoTurn, Person, next_turn

PAST_DAYS = 14
TURNS_A_DAY = 16
_AT_A_TIME = 16
_ACTOR = "demo"
_AT_WORK = 3
_PAUSES = (1.0, 8.0)  # seconds between turns of now, of each at work
# What a turn takes of its account's 5-hour window.
_PERCENT = 0.4


class DemoLife:
    """One gateway's users; always the same ones, with the same past."""

    def __init__(self, gateway: Gateway, url: str) -> None:
        self._gateway = gateway
        self._url = url
        self._tokens: dict[str, str] = {}
        self._rng = random.Random(1)

    async def begin(self, visitor: str) -> str:
        """Make the keys and the past; the token of a key for who watches."""
        for name in (*(person.name for person in PEOPLE), visitor):
            made = await self._gateway.store.write(keys.create_key, name, {}, _ACTOR)
            self._tokens[name] = made.token.reveal()
        await self._gateway.reload()
        await self._play_past()
        # Only now, so that the days before have used none of it.
        for person in PEOPLE:
            await self._gateway.store.write(
                keys.change_key, person.name, dict(person.rules), _ACTOR
            )
        await self._gateway.reload()
        return self._tokens[visitor]

    async def run(self, accounts: Mapping[str, DemoAccount]) -> None:
        """Turns of now, some at a time, until cancelled."""
        async with self._session() as session, asyncio.TaskGroup() as people:
            for _ in range(_AT_WORK):
                people.create_task(self._work(session, accounts))

    async def _work(
        self, session: aiohttp.ClientSession, accounts: Mapping[str, DemoAccount]
    ) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*_PAUSES))
            with suppress(aiohttp.ClientError):  # the gateway is stopping
                await self._send(session, next_turn(self._rng))
            for account in accounts.values():
                used = account.primary_percent + self._rng.random() * _PERCENT
                account.primary_percent = used if used < 100 else 3.0

    async def _play_past(self) -> None:
        at_a_time = asyncio.Semaphore(_AT_A_TIME)
        now = time.time()

        async def play(session: aiohttp.ClientSession, at: float) -> PastTurn:
            async with at_a_time:
                turn = next_turn(self._rng, is_past=True)
                request_id = await self._send(session, turn)
                return PastTurn(request_id, at, self._rng.lognormvariate(4, 0.7))

        async with self._session() as session:
            played = await asyncio.gather(
                *(play(session, at) for at in self._moments(now))
            )
        await self._gateway.turns.wait_until_idle()
        await self._gateway.flush()
        models = {model for person in PEOPLE for model in person.models}
        await self._gateway.store.write(move_to_past, [*played], models)

    def _moments(self, now: float) -> list[float]:
        """When the past turns were: by day more than by night, each day some."""
        return [
            now - (day + 1) * 86_400 + self._rng.triangular(0, 86_400, 50_000)
            for day in range(PAST_DAYS)
            for _ in range(self._rng.randrange(TURNS_A_DAY // 2, 2 * TURNS_A_DAY))
        ]

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(self._url, trust_env=False)

    def _headers(self, person: Person, turn: DemoTurn) -> dict[str, str]:
        return {"x-api-key": self._tokens[person.name], **turn.headers}

    async def _send(self, session: aiohttp.ClientSession, turn: DemoTurn) -> str:
        """Send a turn and read its answer, whatever it is; the request's id."""
        headers = self._headers(turn.person, turn)
        if turn.surface == "socket":
            with suppress(aiohttp.ClientError):
                await self._send_on_socket(session, turn, headers)
            return ""
        async with session.post(
            turn.path, json=turn.payload, headers=headers
        ) as response:
            with suppress(aiohttp.ClientError):  # an answer may be cut
                await (response.content.readany if turn.is_left else response.read)()
                if turn.is_left:
                    response.close()
            return response.headers["x-request-id"]

    async def _send_on_socket(
        self, session: aiohttp.ClientSession, turn: DemoTurn, headers: dict[str, str]
    ) -> None:
        ended = ("completed", "incomplete", "failed")
        async with session.ws_connect(turn.path, headers=headers) as socket:
            await socket.send_json({"type": "response.create", **turn.payload})
            async for message in socket:
                kind = message.json().get("type", "")
                if kind == "error" or kind.removeprefix("response.") in ended:
                    return
