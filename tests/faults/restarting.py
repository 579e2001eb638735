"""A gateway that is restarted by SIGHUP: several processes, one after another."""

import asyncio
import ctypes
import os
import signal
from pathlib import Path

from gateway.demo.events import ScriptedTurn
from gateway.process.lockfile import find_running
from tests.faults.process import FaultyProcess

PR_SET_CHILD_SUBREAPER = 36
GET = "GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"


class RestartingProcess(FaultyProcess):
    """`pid` is the process that serves now; `started` are all there have been."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.started = []
        # Who was started by a process that has ended becomes a child of this one,
        # so that it can be waited for.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    async def start(self):
        await super().start()
        self.started = [self._process.pid]

    @property
    def pid(self):
        return self.started[-1]

    @property
    def serving_pid(self):
        """The process that says it serves, None when nobody does."""
        found = find_running(self.folder / "data")
        return found.pid if found else None

    async def restart(self, within=30):
        """SIGHUP; returns once another process serves."""
        self.signal(signal.SIGHUP)
        async with asyncio.timeout(within):
            while self.serving_pid == self.pid:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        self.started.append(self.serving_pid)

    def is_listening(self, pid):
        """Whether the process holds the listening socket."""
        address = f"{0x0100007F:08X}:{self.port:04X}"
        rows = Path("/proc/net/tcp").read_text().splitlines()
        fields = [row.split() for row in rows]
        (socket,) = {row[9] for row in fields if (row[1], row[3]) == (address, "0A")}
        held = Path(f"/proc/{pid}/fd").iterdir()
        return f"socket:[{socket}]" in {os.readlink(one) for one in held}

    async def says(self, words, within=15):
        """Return once the log has the words."""
        async with asyncio.timeout(within):
            while words not in self.log():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def exit_of(self, pid, within=15):
        """The exit status of one of the processes, once it has ended."""
        if pid == self._process.pid:
            return await self.ended(within)
        async with asyncio.timeout(within):
            while (status := exit_status(pid)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return status

    async def stop(self):
        """End all that is left, the last one first."""
        for pid in reversed(self.started[1:]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await super().stop()
        for pid in self.started[1:]:
            exit_status(pid, 0)


def exit_status(pid, flags=os.WNOHANG):
    """None while it runs, and for one whose parent lives or has seen it end."""
    try:
        ended, status = os.waitpid(pid, flags)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


async def in_use(session, process):
    """What the session's key has in use: requests, and turns at a time."""
    async with session.get(process.url + "/v1/usage") as response:
        rows = (await response.json())["limits"]
    return {row["limit_type"]: row["current_value"] for row in rows}


def held_turn(upstream, gate, times=1, before=5):
    """Turns that stop in the middle, or before all events, until the gate opens."""
    events = ScriptedTurn().text("one two three").completed().events
    upstream.answer(*events[:before], gate, *events[before:], times=times)


async def running_turns(session, process, count):
    """Return once so many turns have come to the process that serves now."""
    async with asyncio.timeout(10):
        while True:
            async with session.get(process.url + "/metrics") as response:
                lines = (await response.text()).splitlines()
            found = [one for one in lines if one.startswith("codex_gateway_in_flight{")]
            if sum(float(line.split()[-1]) for line in found) == count:
                return
            await asyncio.sleep(0.01)


async def connected(process):
    """A kept connection: (reader, writer)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    assert await status_of(reader, writer, "/health") == 200
    return reader, writer


async def status_of(reader, writer, path, key="none"):
    """The status of one more request on a kept connection."""
    writer.write((GET % (path, key)).encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
    await reader.readexactly(length)
    return int(head.split()[1])
