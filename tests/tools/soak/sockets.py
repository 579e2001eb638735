"""The same conversations over a WebSocket."""

import os
import socket

import aiohttp

from tests.serving import CODEX, TERMINAL
from tests.tools.soak.conversations import Conversation, whole
from tests.tools.soak.tally import Failed, Left, Lost

BETA = {"openai-beta": "responses_websockets=2026-02-06"}


class SocketConversation(Conversation):
    """Sends only what is new, as long as its socket lasts."""

    transport = "websocket"

    def __init__(self, place, shape, rng, habits):
        super().__init__(place, shape, rng, habits)
        self._ws = None
        self._anchor = None
        self._known = 0  # items of the history that the socket has

    async def close(self):
        ws, self._ws = self._ws, None
        self._forget()
        if ws is not None:
            await ws.close()

    def _forget(self):
        self._anchor, self._known = None, 0

    def _summarise(self, kind):
        """The summary stands at the beginning of another history."""
        super()._summarise(kind)
        self._forget()

    async def _by_route(self):
        """A client with a socket compacts on it."""
        await self._remotely()

    async def _answered(self, begin, more):
        if self._ws is None or self._ws.closed:
            await self.close()
            await self._connect()
        news = [*self.history[self._known :], *more]
        response = await self._exchange(self._frame(news), begin)
        self._known = len(self.history) + len(response["output"])
        if more:
            self._forget()  # the socket's history has an item that ours has not
        return response["output"]

    def _frame(self, items, **more):
        frame = {"type": "response.create", **self._shape.payload(items), **more}
        if self._anchor is not None:
            frame["previous_response_id"] = self._anchor
        return frame

    async def _connect(self):
        kept = {
            name: value
            for name, value in self._shape.headers.items()
            if name not in {"accept", "content-type"}
        }
        headers = {**kept, **BETA, **self._place.headers}
        try:
            self._ws = await self._place.session.ws_connect(
                self._place.url + CODEX, headers=headers
            )
        except aiohttp.WSServerHandshakeError as error:
            raise Failed(error.status, f"handshake: {error.message}") from error
        except aiohttp.ClientError as error:
            raise Failed("no answer", f"handshake: {error}") from error
        if len(self.history) <= len(self._shape.base) + 1:
            base = self._shape.base
            await self._exchange(self._frame(base, generate=False), None)
            self._known = len(base)

    async def _exchange(self, frame, begin):
        """One turn; `begin` None for one that only warms the socket up."""
        ws, count = self._ws, 0
        try:
            await ws.send_json(frame)
        except ConnectionError as error:
            raise Lost(type(error).__name__) from error
        while True:
            message = await ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise Lost(f"closed with {ws.close_code}")
            event = message.json()
            if event["type"] in TERMINAL:
                whole(event)
                self._anchor = event["response"]["id"]
                return event["response"]
            count += 1
            if begin is not None:
                self._watch(begin, count)

    def _watch(self, begin, count):
        try:
            self._seen(begin, count)
        except Left:
            if self._rng.random() < 0.5:  # without a word
                number = os.dup(self._ws.get_extra_info("socket").fileno())
                with socket.socket(fileno=number) as connection:
                    connection.shutdown(socket.SHUT_RDWR)
            raise
