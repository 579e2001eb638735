"""One client socket of the scripted upstream: many turns, one after another."""

import asyncio
from typing import Protocol

from aiohttp import WSMsgType, web

from gateway.demo import faults
from gateway.demo.answers import JsonObject, ScriptedResponse
from gateway.demo.playing import play_http, play_socket
from gateway.demo.received import Received, ReceivedRoute, items_of


class RequestScript(Protocol):
    """Records what a socket receives, and answers it."""

    def receive(
        self, request: web.Request, body: bytes, route: ReceivedRoute
    ) -> Received: ...

    def record(self, received: Received) -> None: ...

    def answer_for(self, received: Received) -> ScriptedResponse: ...

    def usual_headers(self, received: Received) -> dict[str, str]: ...

    def note_ids(self, answer: ScriptedResponse, received: Received) -> None: ...


class DemoConversation:
    """Response ids live as long as their socket, as with the real backend."""

    def __init__(self, upstream: RequestScript, request: web.Request) -> None:
        self._upstream = upstream
        self._request = request
        self._histories: dict[str, list[JsonObject]] = {}  # by response id
        self._frames: asyncio.Queue[Received] = asyncio.Queue()
        self._turns: list[Received] = []
        self.handshake = upstream.receive(request, b"", "handshake")
        self.ws = web.WebSocketResponse(max_msg_size=256 * 1024 * 1024)

    @property
    def is_answering(self) -> bool:
        """Whether a turn has not had its whole answer yet."""
        return not all(turn.done.is_set() for turn in self._turns)

    async def serve(self) -> web.StreamResponse:
        self._upstream.record(self.handshake)
        headers = self._upstream.usual_headers(self.handshake)
        answer = self._upstream.answer_for(self.handshake)
        for step in answer.before if answer.status == 101 else ():
            if isinstance(step, asyncio.Event):
                await step.wait()
        if answer.status != 101:
            try:
                return await play_http(answer, self._request, self.handshake, headers)
            finally:
                self.handshake.done.set()
        self.ws.headers.update({**headers, **answer.headers})
        player = asyncio.create_task(self._play())
        try:
            await self.ws.prepare(self._request)
            await self._read()
        finally:
            # No await in here: the lost connection cancels this task as well.
            player.cancel()
            for received in (self.handshake, *self._turns):
                if not any(turn.cut for turn in self._turns):
                    received.closed.set()
                received.done.set()
        return self.ws

    async def _read(self) -> None:
        async for message in self.ws:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                continue
            data: str | bytes = message.data
            body = data.encode() if isinstance(data, str) else data
            received = self._upstream.receive(self._request, body, "responses")
            received.transport = "websocket"
            received.method = "FRAME"
            if received.payload.get("generate") is False:
                received.route = "prewarm"
            self._turns.append(received)
            self._upstream.record(received)
            self._frames.put_nowait(received)

    async def _play(self) -> None:
        while True:
            received = await self._frames.get()
            try:
                await self._turn(received)
            except ConnectionError:
                return  # the client has left; `_read` sees that too
            finally:
                received.done.set()

    async def _turn(self, received: Received) -> None:
        anchor = received.payload.get("previous_response_id")
        earlier = self._histories.get(str(anchor), []) if anchor else []
        received.history = [*earlier, *items_of(received.payload)]
        if anchor and str(anchor) not in self._histories:
            answer = faults.previous_response_not_found(str(anchor))
        else:
            answer = self._upstream.answer_for(received)
        self._upstream.note_ids(answer, received)
        await play_socket(answer, self.ws, self._request, received)
        self._remember(answer, received)

    def _remember(self, answer: ScriptedResponse, received: Received) -> None:
        """Keep what the next turn may refer to, once a response has completed."""
        history = list(received.history)
        for step in answer.steps:
            if not isinstance(step, dict):
                continue
            if step.get("type") == "response.output_item.done":
                history.append(step["item"])
            if step.get("type") in {"response.completed", "response.incomplete"}:
                self._histories[str(step["response"]["id"])] = history
