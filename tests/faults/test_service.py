"""Under a service manager, and at a terminal."""

import asyncio
import os
import pty
import signal
import socket
import stat
import sys

import aiohttp
import pytest

from tests.e2e.gateway_process import ROOT
from tests.faults.restarting import RestartingProcess

pytestmark = pytest.mark.slow


class ActivatedProcess(RestartingProcess):
    """Its socket is bound by somebody else, who goes on holding it."""

    async def spawn(self, log):
        self.listening = socket.create_server(("127.0.0.1", self.port))
        script = f"exec 3<&{self.listening.fileno()}; "
        script += 'LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; exec "$@"'
        return await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            script,
            "bash",
            sys.executable,
            "run.py",
            cwd=ROOT,
            # Where it would listen by itself, nobody must find it.
            env=self.env | {"GATEWAY_PORT": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(self.listening.fileno(),),
        )

    async def stop(self):
        await super().stop()
        self.listening.close()


class HomeProcess(RestartingProcess):
    """Started in its own folder, where its `.env` file lies."""

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


class TerminalProcess(RestartingProcess):
    """Its standard input is a terminal, which may go away."""

    async def spawn(self, log):
        self.terminal, its_side = pty.openpty()
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "run.py",
                cwd=ROOT,
                env=self.env,
                stdin=its_side,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
            )
        finally:
            os.close(its_side)


@pytest.mark.gen_test(timeout=60)
async def test_it_listens_on_the_socket_it_is_given(upstream, start_process):
    process = await start_process(kind=ActivatedProcess)
    async with aiohttp.ClientSession() as session:
        assert await process.turn(session) == "response.completed"
    assert f"port {process.port}" in process.log()
    assert "key" in await process.run("keys", "create", "--name", "a")
    assert process.serving_pid == process.pid
    await process.restart()
    process.signal(signal.SIGTERM)
    assert [await process.exit_of(pid) for pid in process.started] == [0, 0]
    # Who bound it still holds it: whoever comes now waits for the next process.
    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.close()


@pytest.mark.gen_test(timeout=60)
async def test_the_service_manager_is_told_who_serves(start_process, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        loop = asyncio.get_running_loop()

        async def said():
            return await asyncio.wait_for(loop.sock_recv(manager, 99), 15)

        process = await start_process(kind=NotifyingProcess)
        assert await said() == b"READY=1"
        await process.restart()
        assert await said() == f"MAINPID={process.pid}".encode()
        assert await process.exit_of(process.started[0]) == 0
        process.signal(signal.SIGTERM)
        assert await said() == b"STOPPING=1"
        assert await process.exit_of(process.pid) == 0
        with pytest.raises(BlockingIOError):
            manager.recv(99)


class NotifyingProcess(RestartingProcess):
    """Told where its manager listens."""

    def __init__(self, folder, *args, **settings):
        super().__init__(folder, *args, **settings)
        self.env["NOTIFY_SOCKET"] = str(folder.parent / "notify")


@pytest.mark.gen_test(timeout=60)
async def test_a_restart_reads_the_settings_file_anew(start_process, tmp_path):
    file = tmp_path / "gateway0" / ".env"
    file.parent.mkdir()
    file.write_text("GATEWAY_MAX_BODY_BYTES=10\n")
    process = await start_process(kind=HomeProcess)
    async with aiohttp.ClientSession() as session:
        assert (await process.turn(session)).startswith("413")
        file.write_text("GATEWAY_MAX_BODY_BYTES=100000\n")
        await process.restart()
    async with aiohttp.ClientSession() as session:
        assert await process.turn(session) == "response.completed"


@pytest.mark.gen_test(timeout=60)
async def test_a_terminal_that_goes_away_ends_the_gateway(start_process):
    process = await start_process(kind=TerminalProcess)
    await process.restart()  # the terminal is still there: somebody asked for it
    assert await process.exit_of(process.started[0]) == 0
    os.close(process.terminal)
    process.signal(signal.SIGHUP)
    assert await process.exit_of(process.pid) == 0
    assert process.serving_pid is None


@pytest.mark.gen_test(timeout=60)
async def test_all_it_writes_is_its_owners_alone(start_process):
    process = await start_process(kind=RestartingProcess)
    await process.create_key()
    async with aiohttp.ClientSession() as session:
        await process.turn(session)
    await process.restart()
    data = process.folder / "data"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in data.rglob("*")}
    assert {path.name for path in modes} > {
        "gateway.db",
        "gateway.db-wal",
        "gateway.lock",
        "encryption.key",
        "admin.token",
    }
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {
        path: oct(mode)
        for path, mode in modes.items()
        if mode != (0o700 if path.is_dir() else 0o600)
    } == {}
