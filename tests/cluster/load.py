"""Many turns of many keys at several gateways, until each key's limit is reached."""

import asyncio
import time
from collections import Counter
from typing import NamedTuple

import aiohttp

from gateway.demo.scenarios import last_user_text
from tests.serving import payload

INPUT, OUTPUT = 700, 100
TOKENS = INPUT + OUTPUT  # of each turn
_PATIENCE = aiohttp.ClientTimeout(total=90)


class Holder(NamedTuple):
    """A key, how many clients take turns with it, and how many its limit allows."""

    name: str
    token: str
    clients: int
    turns: int | None = None  # None: its clients go on until the load is ended


class Turn(NamedTuple):
    """One that was taken: whose, at which gateway, from when to when, what came."""

    name: str
    door: str
    began: float  # time.monotonic
    ended: float
    came: str  # "done", "lost" for one that was cut off, or a status


class Load:
    """`doors` are the gateways' URLs; a holder of several clients uses all of them."""

    def __init__(self, doors, holders):
        self._doors = doors
        self._holders = holders
        self._is_over = False
        self.turns = []

    def end(self):
        """Let the clients of keys without limits end with their turns."""
        self._is_over = True

    def answers(self, name):
        return Counter(turn.came for turn in self.turns if turn.name == name)

    def since(self, moment, door):
        """How many turns of each key ran at that gateway since then."""
        return Counter(
            turn.name
            for turn in self.turns
            if turn.door == door and turn.ended >= moment
        )

    async def run(self):
        """Until every client was told that its key's limit is reached."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session,
            asyncio.TaskGroup() as clients,
        ):
            for number, holder in enumerate(self._holders):
                for client in range(holder.clients):
                    # nginx sends a small key to one process, a large one to all.
                    at = number + client if holder.clients > 2 else number
                    clients.create_task(self._go_on(session, holder, at))

    async def _go_on(self, session, holder, at):
        headers = {"authorization": f"Bearer {holder.token}"}
        body = payload(f"{holder.name} demo:usage({INPUT}; {OUTPUT}; 0)")
        came = ""
        while came != "429" and not (self._is_over and holder.turns is None):
            door = self._doors[at % len(self._doors)]
            began = time.monotonic()
            try:
                async with session.post(
                    f"{door}/v1/responses", json=body, headers=headers
                ) as answer:
                    told = await answer.read()
                is_done = answer.status == 200 and b"response.completed" in told
                came = "done" if is_done else str(answer.status)
            except aiohttp.ClientConnectorError:
                came = "refused"
            except (aiohttp.ClientError, TimeoutError):
                came = "lost"
            self.turns.append(Turn(holder.name, door, began, time.monotonic(), came))
            if came in ("refused", "lost"):
                at += 1  # as nginx does
            if came != "done":
                await asyncio.sleep(0.05)


def turns_by_name(upstream):
    """How many turns of each key upstream was sent."""
    return Counter(last_user_text(one.history).split()[0] for one in upstream.of())


async def exhaust(company, upstream, turns, keys):
    """Use up the limits of so many keys, so many turns each; how many were sent."""
    holders = await company.holders(turns, keys)
    load = Load(company.doors, holders)
    await load.run()
    sent = turns_by_name(upstream)
    for holder in holders:
        came = load.answers(holder.name)
        assert came == {"done": sent[holder.name], "429": holder.clients}, holder.name
        # Not one too few; too many at most those that ran when it was reached.
        assert turns <= sent[holder.name] < turns + holder.clients, holder.name
    await company.agree({name: TOKENS * count for name, count in sent.items()})
    return holders, sum(sent.values())
