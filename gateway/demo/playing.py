"""Plays an answer's steps over HTTP or onto a socket."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterable, Mapping

from aiohttp import WSMsgType, web

from gateway.demo.answers import Close, Cut, ScriptedResponse, Step, sse
from gateway.demo.received import Received

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: RST, not FIN


async def play_http(
    answer: ScriptedResponse,
    request: web.Request,
    received: Received,
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """Send the answer as one response; `headers` are those every answer has."""
    player = _HttpPlayer(request, received)
    await player.play(answer.before)
    if answer.bare:
        player.response = None
        await player.play(answer.steps)
        return await player.end(Cut.EOF)
    response = web.StreamResponse(status=answer.status)
    response.headers.update(headers)
    response.headers.update(answer.headers)
    await response.prepare(request)
    player.response = response
    await player.play(answer.steps)
    await response.write_eof()
    return response


class _HttpPlayer:
    def __init__(self, request: web.Request, received: Received) -> None:
        self._request = request
        self._received = received
        self.response: web.StreamResponse | None = None

    async def play(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, dict):
                await self._write(sse(step))
            elif isinstance(step, bytes):
                await self._write(step)
            elif isinstance(step, Cut):
                await self.end(step)
            elif isinstance(step, Close):
                await self.end(Cut.EOF)
            else:
                await _wait(step)

    async def end(self, how: Cut) -> web.StreamResponse:
        """Cut the connection, then wait to be cancelled by its loss."""
        self._received.cut = True
        transport = self._request.transport
        if transport is not None:
            _cut(transport, how)
        return await asyncio.Future()

    async def _write(self, data: bytes) -> None:
        if self.response is not None:
            await self.response.write(data)
        elif self._request.transport is not None:
            self._request.transport.write(data)
        self._received.sent_bytes += len(data)


async def play_socket(
    answer: ScriptedResponse,
    ws: web.WebSocketResponse,
    request: web.Request,
    received: Received,
) -> None:
    """Send the answer as frames; returns early when it closes the socket."""
    steps = (*answer.before, *answer.steps)
    if answer.status >= 400:
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in {"content-type", "content-length"}
        }
        frame = {"type": "error", "status": answer.status, "error": answer.error()}
        steps = (*answer.before, {**frame, "headers": headers} if headers else frame)
    for step in steps:
        if isinstance(step, dict | bytes):
            data = json.dumps(step).encode() if isinstance(step, dict) else step
            await ws.send_frame(data, WSMsgType.TEXT)
            received.sent_bytes += len(data)
        elif isinstance(step, Close):
            received.cut = True
            await ws.close(code=step.code)
            return
        elif isinstance(step, Cut):
            received.cut = True
            if request.transport is not None:
                _cut(request.transport, step)
            return
        else:
            await _wait(step)


async def _wait(step: float | asyncio.Event) -> None:
    if isinstance(step, asyncio.Event):
        await step.wait()
    else:
        await asyncio.sleep(step)


def _cut(transport: asyncio.Transport, how: Cut) -> None:
    if how is Cut.EOF:
        transport.close()
        return
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
