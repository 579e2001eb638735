"""The yardstick: Tornado, aiohttp and uvloop, passing bytes and nothing else.

Run as `python -m tests.tools.bench.bare_relay PORT UPSTREAM_PORT`.
"""

import asyncio
import sys

import aiohttp
import uvloop
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

DROPPED = {"host", "connection", "content-length", "upgrade", "accept-encoding"}


class Relay(RequestHandler):
    def initialize(self, session: aiohttp.ClientSession, upstream: str) -> None:
        self.session, self.url = session, upstream + self.request.path
        self.sent = {
            name: value
            for name, value in self.request.headers.items()
            if name.lower() not in DROPPED and "websocket" not in name.lower()
        }

    async def post(self) -> None:
        async with self.session.post(
            self.url, data=self.request.body, headers=self.sent
        ) as response:
            self.set_status(response.status)
            self.set_header("Content-Type", response.headers["Content-Type"])
            async for chunk in response.content.iter_any():
                self.write(chunk)
                await self.flush()


class SocketRelay(Relay, WebSocketHandler):
    async def get(self, *args: str) -> None:
        await WebSocketHandler.get(self, *args)

    async def open(self) -> None:
        self.set_nodelay(True)  # else small messages wait 40 ms for an ACK
        self.upstream = await self.session.ws_connect(self.url, headers=self.sent)
        self.pump = asyncio.create_task(self.relay())

    async def on_message(self, message: str | bytes) -> None:
        await self.upstream.send_str(str(message))

    async def relay(self) -> None:
        async for message in self.upstream:
            await self.write_message(message.data)

    def on_close(self) -> None:
        self.pump.cancel()
        self.closing = asyncio.create_task(self.upstream.close())


async def main(port: int, upstream_port: int) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False
    ) as session:
        upstream = f"http://127.0.0.1:{upstream_port}"
        arguments = {"session": session, "upstream": upstream}
        application = Application([(".*", SocketRelay, arguments)])
        application.listen(port, "127.0.0.1", max_buffer_size=2**27)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
