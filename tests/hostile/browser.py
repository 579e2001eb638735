"""A real Chromium that visits pages of an attacker's, and the servers they need."""

import asyncio
import json
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

PAGE = Path(__file__).with_name("page.html")
ALL_REPORTS = 90.0  # seconds, with the browser's start on a busy machine


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


class Served:
    """A server of the tests on a free port."""

    port = 0

    async def serve(self, *routes: web.RouteDef) -> None:
        app = web.Application()
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()


class Attacker(Served):
    """Serves the page, and takes its reports; the page is told what to try on whom."""

    def __init__(self) -> None:
        self.reports: dict[str, dict[str, Any]] = {}  # by page, then by target
        self.complete = asyncio.Event()
        self.pages: list[dict[str, Any]] = []

    async def start(self) -> None:
        await self.serve(
            web.get("/page/{number}", self._page), web.post("/report", self._note)
        )

    async def _page(self, request: web.Request) -> web.Response:
        configuration = json.dumps(self.pages[int(request.match_info["number"])])
        text = PAGE.read_text().replace("/* CONFIGURATION */ null", configuration)
        # Its connection must not be taken for what the page does next.
        headers = {"connection": "close"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _note(self, request: web.Request) -> web.Response:
        told = json.loads(await request.text())
        self.reports[told["page"]] = told["found"]
        if len(self.reports) == len(self.pages):
            self.complete.set()
        return web.Response()


class Trusting(Served):
    """A server that lets any page do anything: what the attempts are capable of."""

    def __init__(self) -> None:
        self.attempts: set[str] = set()

    async def start(self) -> None:
        await self.serve(web.route("*", "/{path:.*}", self._answer))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method != "OPTIONS":
            self.attempts.add(request.query["attempt"])
        if request.headers.get("upgrade") == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str(await socket.receive_str(timeout=30))
            await socket.close()
            return socket
        listens = request.headers.get("accept") == "text/event-stream"
        headers = {
            "access-control-allow-origin": request.headers.get("origin", "*"),
            "access-control-allow-credentials": "true",
            "access-control-allow-headers": "content-type, x-api-key",
            "access-control-allow-methods": "POST, DELETE",
            "content-type": "text/event-stream" if listens else "application/json",
        }
        return web.Response(text="data: {}\n\n" if listens else "{}", headers=headers)


class Rebinding:
    """What a name leads to that means the attacker at first, and then the gateway.

    Only the page comes from the attacker's server; everything else goes to the
    gateway, byte for byte, as it does once the name has the gateway's address.
    """

    def __init__(self, attacker_port: int, gateway_port: int) -> None:
        self._ports = {True: attacker_port, False: gateway_port}
        self._connections: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        first = await reader.read(65536)
        port = self._ports[first.startswith(b"GET /page/")]
        there, back = await asyncio.open_connection("127.0.0.1", port)
        back.write(first)
        try:
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        except ConnectionError:
            pass  # either side may leave
        finally:
            writer.close()
            back.close()


class Browser:
    """Chromium without a window, with a profile of its own."""

    def __init__(self, binary: str, folder: Path, resolver_rules: str) -> None:
        self._command = (
            binary,
            "--headless=new",
            "--no-sandbox",  # there is none for root; the only pages are ours
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--no-proxy-server",
            f"--user-data-dir={folder}",
            f"--host-resolver-rules={resolver_rules}",
        )

    async def start(self, url: str) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            url,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # so that its own processes end with it
        )

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
