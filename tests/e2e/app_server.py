"""The client's app-server, as editors run it: JSON-RPC over its standard streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.codex_cli import CodexCli

ABOUT_US = {"name": "codex_vscode", "title": "Tests", "version": "1.0"}
# One answer is a line; the list of models is a long one.
LONGEST_LINE = 64 * 1024 * 1024


class AppServer:
    """Calls are made one after the other; other notifications are passed over."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._last_id = 0

    async def call(self, method: str, params: Any = None) -> Any:
        """The result. Raises RuntimeError with the error that a user would see."""
        await self.ask(method, params)
        answer = await self._until(
            lambda seen: seen.get("id") == self._last_id and "method" not in seen
        )
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def ask(self, method: str, params: Any = None) -> None:
        """Without waiting for the result."""
        self._last_id += 1
        told = {"id": self._last_id, "method": method, "params": params}
        await self._send({name: one for name, one in told.items() if one is not None})

    async def told(self, method: str, **facts: Any) -> Any:
        """The next notification of that name in which these stand."""
        seen = await self._until(
            lambda seen: (
                seen.get("method") == method and facts.items() <= seen["params"].items()
            )
        )
        return seen["params"]

    async def turn(self, thread_id: str, text: str) -> str:
        """One whole turn of a thread; its status."""
        await self.begin_turn(thread_id, text)
        status: str = (await self.told("turn/completed"))["turn"]["status"]
        return status

    async def begin_turn(self, thread_id: str, text: str) -> None:
        said = [{"type": "text", "text": text}]
        await self.call("turn/start", {"threadId": thread_id, "input": said})

    async def _until(self, wanted: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(30):
            while True:
                seen = json.loads(await self._stdout.readline())
                if wanted(seen):
                    return seen

    async def _send(self, message: dict[str, Any]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        await self._stdin.drain()

    async def begin(self) -> None:
        about = {"experimentalApi": True, "explicitGatewayOauth": True}
        await self.call("initialize", {"clientInfo": ABOUT_US, "capabilities": about})
        await self._send({"method": "initialized"})


@asynccontextmanager
async def running(cli: CodexCli, *options: str) -> AsyncIterator[AppServer]:
    """An app-server in the CLI's home, initialised."""
    async with cli.started(
        "app-server", *options, stdin=asyncio.subprocess.PIPE, limit=LONGEST_LINE
    ) as process:
        server = AppServer(process)
        await server.begin()
        yield server
