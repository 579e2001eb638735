"""A server that speaks WebSocket in bytes, and sockets to it."""

import asyncio
import base64
import hashlib
from contextlib import asynccontextmanager

import aiohttp

from gateway.accounts.account import Account, AccountKind
from gateway.settings import Settings
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.websocket_handshake import UpstreamSockets

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def upgraded(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


@asynccontextmanager
async def connecting(serve, tmp_path):
    """Opens a socket to a server that does `await serve(reader, writer)`."""
    served = []

    async def one(reader, writer):
        served.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings.from_env(dotenv=str(tmp_path / "none"))
    account = Account(1, "one", AccountKind.API_KEY, f"http://127.0.0.1:{port}")
    async with server, aiohttp.ClientSession() as session:
        sockets = UpstreamSockets(session, settings, LearnedTraits(1))
        yield lambda: sockets.connect(account, {}, None)
        await asyncio.wait_for(asyncio.gather(*served), 5)
