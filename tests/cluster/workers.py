"""A gateway with several workers under one parent, on PostgreSQL."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

from tests.e2e.gateway_process import ROOT
from tests.faults.restarting import RestartingProcess


class WorkersProcess(RestartingProcess):
    """`pid` is the parent's, whatever its workers are; its `.env` is in `folder`."""

    def __init__(self, folder, upstream_url, **settings):
        super().__init__(folder, upstream_url, **settings)
        (folder / ".env").write_text("GATEWAY_WORKERS=2")

    async def spawn(self, log):
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "run.py"),
            cwd=self.folder,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )

    @property
    def pid(self):
        return self._process.pid

    def workers(self):
        """Those that serve, by their own ports."""
        told = re.findall(r"process (\d+) serves on port (\d+)", self.log())
        # One that drains has let its port go, and one that starts has not told yet.
        return {
            int(port): int(pid)
            for pid, port in told
            if int(pid) in children(self.pid) and int(port) in listening_ports(pid)
        }

    async def serve(self, count, but=()):
        """The workers, once so many serve that were not there before."""
        async with asyncio.timeout(30):
            while True:
                found = self.workers()
                if len(found) == count and not set(found.values()) & set(but):
                    return found
                await asyncio.sleep(0.02)

    async def restart(self, count=2):
        """SIGHUP; so many workers, once all of them are new."""
        before = set(self.workers().values())
        self.signal(signal.SIGHUP)
        return await self.serve(count, before)

    async def stop(self):
        """End what is left, workers of a killed parent, too."""
        left = [*children(self.pid), *self.orphans()] if self._process else []
        await super().stop()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def orphans(self):
        """Workers whose parent is gone: they are this process's children then."""
        mark = str(self.folder / "data").encode()
        return [
            pid
            for pid in children(os.getpid())
            if pid != self.pid and mark in read(f"/proc/{pid}/environ")
        ]


def read(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""  # it has ended


def children(pid):
    return [int(one) for one in read(f"/proc/{pid}/task/{pid}/children").split()]


def listening_ports(pid):
    """The ports that a process accepts connections on."""
    listening = {}
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = row.split()
        if fields[3] == "0A":
            listening[f"socket:[{fields[9]}]"] = int(fields[1].split(":")[1], 16)
    try:
        held = {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()
    return {port for name, port in listening.items() if name in held}
