"""Many turns of many keys at several gateways, until each key's limit is reached."""

import asyncio
import itertools
from collections import Counter
from typing import NamedTuple

import aiohttp

from gateway.demo.scenarios import last_user_text
from tests.serving import payload

INPUT, OUTPUT = 700, 100
TOKENS = INPUT + OUTPUT  # of each turn


class Holder(NamedTuple):
    """A key, how many clients take turns with it, and how many its limit allows."""

    name: str
    token: str
    clients: int
    turns: int


class Load:
    """`doors` are the gateways' URLs; a holder of several clients uses all of them."""

    def __init__(self, doors, holders):
        self._doors = doors
        self._holders = holders
        self.answers = {holder.name: Counter() for holder in holders}

    async def run(self):
        """Until every client was told that its key's limit is reached."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            asyncio.TaskGroup() as clients,
        ):
            for number, holder in enumerate(self._holders):
                for client in range(holder.clients):
                    # nginx sends a small key to one process, a large one to all.
                    at = number + client if holder.clients > 2 else number
                    door = self._doors[at % len(self._doors)]
                    clients.create_task(self._go_on(session, holder, door))

    async def _go_on(self, session, holder, door):
        headers = {"authorization": f"Bearer {holder.token}"}
        prompt = f"{holder.name} demo:usage({INPUT}; {OUTPUT}; 0)"
        for _ in itertools.repeat(None):
            async with session.post(
                f"{door}/v1/responses", json=payload(prompt), headers=headers
            ) as answer:
                body = await answer.read()
            is_done = answer.status == 200 and b"response.completed" in body
            came = "done" if is_done else str(answer.status)
            self.answers[holder.name][came] += 1
            if not is_done:
                return


def turns_by_name(upstream):
    """How many turns of each key upstream was sent."""
    return Counter(last_user_text(one.history).split()[0] for one in upstream.of())
