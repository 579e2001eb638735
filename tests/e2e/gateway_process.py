"""The gateway as its users start it: `python run.py` in a process of its own."""

import asyncio
import os
import re
import secrets
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]


# Below what kernels give to connections, any of which may take a port meanwhile.
PORTS = range(10_000, 20_000)


def free_port() -> int:
    """A port that was free a moment ago, and that nothing is given by chance."""
    while True:
        port = PORTS[secrets.randbelow(len(PORTS))]  # hypothesis seeds `random`
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class GatewayProcess:
    """One data dir, and the processes that work on it."""

    def __init__(self, folder: Path, upstream_url: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_DATA_DIR": str(folder / "data"),
            "GATEWAY_UPSTREAM_BASE_URL": upstream_url + "/backend-api",
            "GATEWAY_AUTH_BASE_URL": upstream_url,
            **{f"GATEWAY_{name}": value for name, value in settings.items()},
        }
        self._process: asyncio.subprocess.Process | None = None
        self._log = folder / "gateway.log"

    async def run(self, *arguments: str, may_fail: bool = False) -> str:
        """One command of run.py; gives its output, fails when it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "run.py",
            *arguments,
            cwd=ROOT,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        assert may_fail or process.returncode == 0, output.decode()
        return output.decode()

    async def create_key(self, name: str = "tests", *rules: str) -> str:
        output = await self.run("keys", "create", "--name", name, *rules)
        found = re.search(r"sk-cgw-[\w-]+", output)
        assert found is not None, output
        return found[0]

    async def start(self) -> None:
        """Returns once /health answers."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "run.py",
                cwd=ROOT,
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
            )
        async with aiohttp.ClientSession() as session:
            await asyncio.wait_for(self._healthy(session), 30)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not end; no error when not started."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    def log(self) -> str:
        """What the gateway has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def _healthy(self, session: aiohttp.ClientSession) -> None:
        while True:
            assert self._process is not None
            assert self._process.returncode is None, self.log()
            try:
                async with session.get(self.url + "/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
