"""A gateway process that tests signal, kill and look into."""

import asyncio
import ctypes
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import aiohttp

from tests.e2e.gateway_process import ROOT, GatewayProcess
from tests.serving import CODEX, payload


class FaultyProcess(GatewayProcess):
    """As its users start it; ends in ways its users do not wish for."""

    command = ("run.py",)

    async def start(self) -> None:
        """As the base, in a process whose fate is open."""
        with self._log.open("ab") as log:
            self._process = await self.spawn(log)
        async with aiohttp.ClientSession() as session:
            await asyncio.wait_for(self._healthy(session), 30)

    async def spawn(self, log: BinaryIO) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *self.command,
            cwd=ROOT,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=_mind_permissions if os.geteuid() == 0 else None,
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def ended(self, within: float = 15) -> int:
        """The exit status, once the process is gone."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within)

    async def refuses(self) -> None:
        """Return once nobody accepts connections any more."""
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    return
                writer.close()
                await asyncio.sleep(0.01)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "gateway.db"

    def rows(self, columns: str = "status, transport") -> list[tuple[object, ...]]:
        """The request log as another program reads it, oldest first."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(
                f"SELECT {columns} FROM request_log ORDER BY id"
            ).fetchall()

    async def get(self, path: str) -> tuple[int, bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url + path) as response,
        ):
            return response.status, await response.read()

    async def becomes_ready(self, wanted: bool, because: bytes = b"") -> bytes:
        """What /health/ready says once it is (or is not) content, for that reason."""
        async with asyncio.timeout(30):
            while True:
                status, body = await self.get("/health/ready")
                if (status == 200) is wanted and because in body:
                    return body
                await asyncio.sleep(0.05)

    async def metric(self, name: str) -> float:
        """One series of /metrics."""
        status, body = await self.get("/metrics")
        for line in body.decode().splitlines():
            if line.startswith(f"codex_gateway_{name} "):
                return float(line.rpartition(" ")[2])
        raise LookupError(f"{name} not in {status} {body[:2000]!r}")

    def resident_bytes(self) -> int:
        """What the process holds in memory."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    async def turn(
        self, session: aiohttp.ClientSession, prompt: str = "hi", **more: object
    ) -> str:
        """One streamed turn; its last event's type, or how it failed."""
        try:
            async with session.post(
                self.url + CODEX, json=payload(prompt, **more), timeout=TURN_TIMEOUT
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__
        if response.status != 200:
            return f"{response.status} {body[:200]!r}"
        return last_event(body)


# linux/prctl.h, linux/capability.h
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1


def _mind_permissions() -> None:
    """Take from root what lets it write to read-only files; no user has that."""
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


TURN_TIMEOUT = aiohttp.ClientTimeout(total=60)


def last_event(body: bytes) -> str:
    """The type of the event that ends a stream, "" when it is cut off."""
    blocks = body.split(b"\n\n")
    line = blocks[-2] if len(blocks) > 1 and not blocks[-1] else b""
    return line.partition(b"event: ")[2].partition(b"\n")[0].decode()
