"""What stands between gateways and their PostgreSQL: a proxy that holds, a pooler."""

import asyncio
import os
import pwd
import shutil
import subprocess
from contextlib import suppress

from tests.e2e.gateway_process import free_port

SOCKET = ".s.PGSQL.5432"
POOLER = """\
[databases]
* = host={home} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


def through(database_url, port):
    """The URL of the same database at a port of this machine."""
    name = database_url.partition("?")[0].rpartition("/")[2]
    return f"postgresql://postgres@127.0.0.1:{port}/{name}"


class HoldingProxy:
    """A TCP proxy of the server's socket that can keep all bytes to itself."""

    def __init__(self, home):
        self.port = free_port()
        self._home = home
        self._open = asyncio.Event()
        self._tasks = set()

    async def start(self):
        self._open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def hold(self):
        """From now on nothing gets through; no connection ends."""
        self._open.clear()

    def let_go(self):
        self._open.set()

    async def stop(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        behind = await asyncio.open_unix_connection(self._home / SOCKET)
        try:
            with suppress(asyncio.CancelledError):  # at the end
                await asyncio.gather(
                    self._pass(reader, behind[1]), self._pass(behind[0], writer)
                )
        finally:
            writer.close()
            behind[1].close()

    async def _pass(self, reader, writer):
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class Pooler:
    """pgbouncer in transaction mode before a server."""

    def __init__(self, home, folder):
        self.port = free_port()
        self._folder = folder
        folder.mkdir()
        config = POOLER.format(home=home, port=self.port, folder=folder)
        (folder / "pgbouncer.ini").write_text(config)
        self._as = {}
        if os.geteuid() == 0:  # which it refuses to be
            found = pwd.getpwnam("postgres")
            self._as = {"user": found.pw_uid, "group": found.pw_gid}
            shutil.chown(folder, "postgres", "postgres")
            for one in (folder, *folder.parents[:3]):
                one.chmod(one.stat().st_mode | 0o055)

    def start(self):
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        self._process = subprocess.Popen(
            [program, "-q", self._folder / "pgbouncer.ini"],
            stdin=subprocess.DEVNULL,
            cwd=self._folder,
            extra_groups=[] if self._as else None,
            **self._as,
        )

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
