"""Watchers of the dashboard's live page, beside whatever is measured.

Run as `python -m tests.tools.bench.watchers PORT COOKIE COUNT`: the streams are read
until it is ended. It dies when one of them ends.
"""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from gateway.cli.base import connected_database
from gateway.repository.revision import raise_revision
from gateway.settings import Settings
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import BrowserFacts, begin_session, new_token
from gateway.sign_in.users import Role

_HERE = BrowserFacts("127.0.0.1", "127.0.0.1", "a watcher", has_tls=False)
_ROOT = Path(__file__).parents[3]
_PATIENCE = 20.0  # seconds, until the gateway has taken over the session
_REQUEST = (
    "GET /dashboard/live/events HTTP/1.1\r\nHost: localhost:{port}\r\n"
    "Sec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\n\r\n"
)


def sign_in(data_dir: Path, port: int) -> str:
    """A cookie of an operator's, which a gateway that runs there takes over soon."""
    settings = replace(
        Settings.from_env(dotenv=os.devnull),
        data_dir=data_dir,
        database_url=f"sqlite:///{data_dir / 'gateway.db'}",
    )
    token = new_token()
    with connected_database(settings) as database, database.atomic():
        user = add_user(f"watcher-{time.time_ns()}", Role.OPERATOR, "of nobody")
        begin_session(user, token, _HERE, time.time())
        raise_revision()
    return f"codexgate-{port}={token}"


def follow(data_dir: Path, port: int, count: int) -> subprocess.Popen[str]:
    """So many watchers of the gateway that runs there; all of them watch by now.

    Raises RuntimeError.
    """
    cookie = sign_in(data_dir, port)
    command = [sys.executable, "-m", __name__, str(port), cookie, str(count)]
    watching = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    if watching.stdout.readline() != "watching\n":
        watching.kill()
        raise RuntimeError("The live page cannot be watched")
    return watching


async def _watch(port: int, cookie: str, count: int) -> None:
    async with asyncio.timeout(_PATIENCE):
        readers = [await _open_stream(port, cookie) for _ in range(count)]
    print("watching", flush=True)
    await asyncio.wait(
        [asyncio.create_task(_read(reader)) for reader, _ in readers],
        return_when=asyncio.FIRST_COMPLETED,
    )


async def _open_stream(
    port: int, cookie: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Once the first event has come."""
    while True:
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(_REQUEST.format(port=port, cookie=cookie).encode())
        if (await reader.readline()).startswith(b"HTTP/1.1 200"):
            await reader.readuntil(b"event: now\n")
            return reader, writer
        writer.close()
        await asyncio.sleep(0.2)


async def _read(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


if __name__ == "__main__":
    asyncio.run(_watch(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
