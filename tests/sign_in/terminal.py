"""A terminal in which the client runs: tmux, for what draws on a screen."""

import asyncio
import os
import re
import shutil
import signal
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.e2e.conftest import missing
from tests.serving import PATIENCE

# What it shows to be typed elsewhere.
CODE = r"\b[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}\b"
# An older one: the client begins with an offer of a newer.
DEFAULT = ("-m", "gpt-6.1-sol")
SIZE = ("-x", "120", "-y", "40")


class Terminal:
    def __init__(self, socket):
        self._socket = str(socket)

    async def tmux(self, *command, env=None):
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-f", os.devnull, "-S", self._socket, *command),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, failed = await process.communicate()
        assert process.returncode == 0, failed
        return told.decode()

    async def shows(self, pattern, seconds=PATIENCE):
        """What is found on the screen, once it is there."""
        seen = ""
        try:
            async with asyncio.timeout(seconds):
                while (found := re.search(pattern, seen)) is None:
                    await asyncio.sleep(0.1)
                    seen = await self.tmux("capture-pane", "-p")
        except TimeoutError:
            raise AssertionError(f"{pattern} is not in:\n{seen}") from None
        return found[0]


@asynccontextmanager
async def terminal(cli, *command):
    """One in which the CLI runs, until the context is left."""
    if shutil.which("tmux") is None:
        missing("no tmux on this machine")
    made, env = Terminal(cli.home / "tmux"), cli.environment()
    start = ("new-session", "-d", *SIZE, "-c", str(cli.workdir))
    await made.tmux(*start, cli.binary, *command, env=env)
    try:
        yield made
    finally:
        await made.tmux("kill-server")
        end_daemons(cli)


def end_daemons(cli):
    """What the CLI has left running in its home."""
    mark = f"CODEX_HOME={cli.home}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
