"""Conversations as the Codex client has them, over HTTP and over sockets."""

import asyncio
import itertools
import json
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from gateway.protocol.sse import events
from tests.serving import CODEX, TERMINAL, payload, user

TOOL = {"type": "function", "name": "exec_command", "parameters": {"type": "object"}}
PROMPTS = ("good morning", "demo:reasoning(deep)", "demo:tool(2; ls)", "demo:say(yes)")
PROMPTS_EACH = (4, 12)  # then another conversation begins
THINKING = (0.3, 3.0)  # seconds between an answer and the next prompt
MOST_TRIES = 6  # of one request, as Codex has it
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that failed, with the monotonic time it took."""

    begin: float
    end: float
    transport: str
    what: str


@dataclass(slots=True)
class Tally:
    """What the clients have seen."""

    counts: Counter = field(default_factory=Counter)
    refusals: list = field(default_factory=list)
    seconds: list = field(default_factory=list)  # of answered requests


class Failed(Exception):
    """The request was refused, with what."""


class Lost(Exception):
    """The answer ended before it was whole."""


class Resend(Exception):
    """The socket has forgotten the history."""


class Conversation:
    """One thread: its history, and what the client remembers of its connection."""

    transport = "http"

    def __init__(self, session, url, tally):
        self._session = session
        self._url = url
        self._tally = tally
        self.thread = str(uuid.uuid4())
        self.history = []
        self._turn_state = None

    async def prompt(self, text):
        """One prompt, with all requests that its tools lead to."""
        self.history.append(user(text))
        self._turn_state = None
        while await self._request():
            self._tally.counts["tool calls"] += 1

    async def close(self):
        """Nothing is kept over HTTP."""

    async def _request(self):
        """Send until it is answered; whether tools were called."""
        for attempt in range(MOST_TRIES):
            begin = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    response = await self._answered()
            except Failed as error:
                self._refused(begin, str(error))
            except TimeoutError:
                self._refused(begin, "no end")
            except Lost:
                self._tally.counts["cut answers"] += 1
            except Resend:
                self._tally.counts["resent histories"] += 1
            else:
                self._tally.counts[f"answered over {self.transport}"] += 1
                self._tally.seconds.append(time.monotonic() - begin)
                return self._take(response["output"])
            await self.close()
            await asyncio.sleep(0.2 * 2**attempt)
        self._tally.counts["given up"] += 1
        return False

    def _refused(self, begin, what):
        refusal = Refusal(begin, time.monotonic(), self.transport, what)
        self._tally.refusals.append(refusal)

    def _take(self, output):
        calls = [item for item in output if item["type"] == "function_call"]
        self.history += output
        for call in calls:
            told = {"type": "function_call_output", "call_id": call["call_id"]}
            self.history.append(told | {"output": "done"})
        return bool(calls)

    def _headers(self):
        return {"session-id": self.thread, "thread-id": self.thread}

    def _payload(self, items):
        return payload(input=items, tools=[TOOL], prompt_cache_key=self.thread)

    async def _answered(self):
        headers = self._headers()
        if self._turn_state is not None:
            headers["x-codex-turn-state"] = self._turn_state
        body = self._payload(self.history)
        try:
            async with self._session.post(
                self._url + CODEX, json=body, headers=headers
            ) as response:
                told = await response.read()
        except aiohttp.ClientPayloadError as error:
            raise Lost from error
        except aiohttp.ClientError as error:
            raise Failed(repr(error)) from error
        if response.status != 200:
            raise Failed(f"{response.status} {told[:300]!r}")
        state = response.headers.get("x-codex-turn-state")
        self._turn_state = self._turn_state or state
        *_, last = (event for event in events(told) if event.data)
        return _whole(json.loads(last.data))


class SocketConversation(Conversation):
    """Sends only what is new, as long as its socket lasts."""

    transport = "websocket"

    def __init__(self, session, url, tally):
        super().__init__(session, url, tally)
        self._ws = None
        self._anchor = None
        self._known = 0  # items of the history that the socket has

    async def close(self):
        ws, self._ws = self._ws, None
        self._anchor, self._known = None, 0
        if ws is not None:
            await ws.close()

    async def _answered(self):
        if self._ws is None or self._ws.closed:
            await self.close()
            await self._connect()
        frame = {
            "type": "response.create",
            **self._payload(self.history[self._known :]),
        }
        if self._anchor is not None:
            frame["previous_response_id"] = self._anchor
        response = await self._exchange(frame)
        self._anchor = response["id"]
        self._known = len(self.history) + len(response["output"])
        return response

    async def _connect(self):
        try:
            self._ws = await self._session.ws_connect(
                self._url + CODEX, headers=self._headers()
            )
        except aiohttp.ClientError as error:
            raise Failed(f"handshake: {error!r}") from error
        if not self.history[1:]:
            warm = {"type": "response.create", **self._payload([]), "generate": False}
            self._anchor = (await self._exchange(warm))["id"]

    async def _exchange(self, frame):
        try:
            await self._ws.send_json(frame)
        except ConnectionError as error:
            raise Lost from error
        while True:
            message = await self._ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise Lost
            event = message.json()
            if event["type"] in TERMINAL:
                return _whole(event)


def _whole(event):
    """The response of a terminal event that is a good one."""
    if event["type"] == "response.completed":
        return event["response"]
    error = event.get("error") or event.get("response", {}).get("error") or {}
    if error.get("code") == "previous_response_not_found":
        raise Resend
    if error.get("code") == "stream_incomplete" and event["type"] != "error":
        raise Lost
    raise Failed(f"{event.get('status')} {json.dumps(error)}")


async def keep_talking(session, url, tally, number, seed, end):
    """One conversation after another until `end` (monotonic), transports by turns."""
    rng = random.Random(f"{seed}-{number}")
    kinds = itertools.cycle((Conversation, SocketConversation))
    for kind in itertools.islice(kinds, number % 2, None):
        conversation = kind(session, url, tally)
        tally.counts["conversations"] += 1
        try:
            for _ in range(rng.randint(*PROMPTS_EACH)):
                if time.monotonic() >= end:
                    return
                await conversation.prompt(rng.choice(PROMPTS))
                await asyncio.sleep(rng.uniform(*THINKING))
        finally:
            await conversation.close()
