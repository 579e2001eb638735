"""Keys that take one turn after the other, by half over HTTP and over sockets."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field

import aiohttp

from tests.faults.process import last_event
from tests.serving import CODEX, TERMINAL, payload

PAUSE = 0.3  # between an answer and the next turn
PATIENCE = 30.0


@dataclass(slots=True)
class Others:
    """What they have met; times in seconds by the phase they were in."""

    url: str
    phase: str = "at rest"
    first_events: dict[str, list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    refusals: list[str] = field(default_factory=list)
    is_over: bool = False
    grown_bytes: int = 0  # by how much the gateway had grown at most, in the end

    async def take_turns(self, keys: list[str]) -> None:
        """Until `is_over`."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(self.url, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for number, key in enumerate(keys):
                kind = _Socket if number % 2 else _Http
                tasks.create_task(self._go_on(kind(session, key)))

    async def _go_on(self, client: "_Http") -> None:
        while not self.is_over:
            begin, phase = time.monotonic(), self.phase
            try:
                async with asyncio.timeout(PATIENCE):
                    first, last = await client.turn()
            except (aiohttp.ClientError, TimeoutError, TypeError) as error:
                self.refusals.append(f"{phase}: {error!r}")
                await client.close()
            else:
                self.first_events[phase].append(first - begin)
                if last != "response.completed":
                    self.refusals.append(f"{phase}: {last}")
            await asyncio.sleep(PAUSE)
        await client.close()


class _Http:
    def __init__(self, session: aiohttp.ClientSession, key: str) -> None:
        self._session = session
        self._headers = {"x-api-key": key}

    async def turn(self) -> tuple[float, str]:
        """When the first event came, and what the last one was."""
        async with self._session.post(
            CODEX, json=payload(), headers=self._headers
        ) as response:
            head = await response.content.readuntil(b"\n")
            first = time.monotonic()
            body = head + await response.read()
        if response.status != 200:
            return first, f"{response.status} {body[:300]!r}"
        return first, last_event(body)

    async def close(self) -> None:
        """Nothing is kept."""


class _Socket(_Http):
    _ws: aiohttp.ClientWebSocketResponse | None = None

    async def turn(self) -> tuple[float, str]:
        if self._ws is None:
            self._ws = await self._session.ws_connect(CODEX, headers=self._headers)
        await self._ws.send_json({"type": "response.create", **payload()})
        event = await self._ws.receive_json()
        first = time.monotonic()
        while event["type"] not in TERMINAL:
            event = await self._ws.receive_json()
        is_well = event["type"] == "response.completed"
        return first, event["type"] if is_well else str(event)[:300]

    async def close(self) -> None:
        ws, self._ws = self._ws, None
        if ws is not None:
            await ws.close()
