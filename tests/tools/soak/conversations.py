"""Conversations as the Codex client has them, over HTTP."""

import asyncio
import json
import time

import aiohttp
import zstandard

from gateway.protocol.sse import events
from tests.serving import CODEX, user
from tests.tools.soak.shapes import checkpoint
from tests.tools.soak.tally import Failed, Left, Lost, Refusal, Resend

TRIGGER = {"type": "compaction_trigger"}
LASTING = 55.0  # seconds of a limit that a conversation leaves its account for
MOST_TRIES = 6  # of one request, as Codex has it
PATIENCE = 90.0  # a turn may wait a minute for others of its key
# The user looks again before a limit ends that is further away than this.
LONGEST_REST = 20.0


class Conversation:
    """One thread: its history, and what the client remembers of its connection."""

    transport = "http"

    def __init__(self, place, shape, rng, habits):
        self._place = place  # session, url, key
        self._shape = shape
        self._rng = rng
        self._habits = habits
        self._tally = place.tally
        self._is_packed = rng.random() < 0.5
        self._leaves_after = None  # events
        self._turn_state = None
        self.history = list(shape.base)

    async def prompt(self, text):
        """One prompt, with all requests that its tools lead to."""
        self.history.append(user(text))
        self._turn_state = None
        while await self._request():
            self._tally.counts["tool calls"] += 1

    async def compact(self):
        """Have the history replaced by its summary, in one of the client's ways."""
        way = self._rng.choice((self._remotely, self._locally, self._by_route))
        self._tally.counts["compactions"] += 1
        self._turn_state = None
        await way()

    async def close(self):
        """Nothing is kept over HTTP."""

    async def _remotely(self):
        """Upstream seals the summary: the next item of the same history."""
        await self._request([TRIGGER])
        self._summarise("compaction")

    async def _locally(self):
        await self._request([checkpoint()])
        self._summarise("message")

    async def _by_route(self):
        await self._request(exchange=self._compacted)
        self._summarise("compaction")

    def _summarise(self, kind):
        """What a compaction leaves: what the user said, and the summary."""
        last = self.history[-1]
        if last.get("type") == kind and last.get("role") != "user":
            self.history = [*self._shape.base, last]

    def _is_bound(self, error):
        """Whether only one account may answer: it made what no other can read.

        Reasoning keeps a conversation there unless the trouble outlasts a minute.
        """
        left = (error.resets_at or 0) - time.time()
        keeps = {"compaction"} if left > LASTING else {"compaction", "reasoning"}
        return any(item.get("type") in keeps for item in self.history)

    async def _request(self, more=(), exchange=None):
        """Send until it is answered; whether tools were called."""
        for attempt in range(MOST_TRIES):
            begin = time.monotonic()
            leaves = self._rng.random() < self._habits.leaving
            self._leaves_after = self._rng.randint(0, 6) if leaves else None
            try:
                async with asyncio.timeout(PATIENCE):
                    output = await (exchange or self._answered)(begin, more)
            except Left:
                self._tally.counts["left by the client"] += 1
                await self.close()
                return False
            except Failed as error:
                self._refused(begin, error)
                if not await self._goes_on(error):
                    return False
            except TimeoutError:
                self._refused(begin, Failed("no end", "within the client's patience"))
            except Lost as error:
                self._tally.counts["cut answers"] += 1
                self._tally.ways_cut[f"{self.transport}: {error}"] += 1
            except Resend:
                self._tally.counts["resent histories"] += 1
            else:
                self._tally.counts[f"answered over {self.transport}"] += 1
                self._tally.answers.append(time.monotonic() - begin)
                return self._take(output)
            await self.close()
            if time.monotonic() >= self._place.end:
                break
            await asyncio.sleep(0.2 * 2**attempt)
        self._tally.counts["given up"] += 1
        return False

    async def _goes_on(self, error):
        """Whether the same request is sent again."""
        if error.is_key_limit:
            self._tally.counts["key limits reached"] += 1
            await self.close()
            left = (error.resets_at or 0) - time.time()
            await asyncio.sleep(max(0.5, min(left, LONGEST_REST)))
            return False
        if error.code == "invalid_encrypted_content":
            # Another account cannot read the summary: the user begins anew.
            self._tally.counts["compacted histories lost"] += 1
            self.history = list(self._shape.base)
            return False
        return True

    def _refused(self, begin, error):
        now = time.monotonic()
        self._tally.refusals.append(
            Refusal(begin, now, self.transport, error, self._is_bound(error))
        )

    def _take(self, output):
        calls = [item for item in output if item["type"] == "function_call"]
        calls += [item for item in output if item["type"] == "custom_tool_call"]
        self.history += output
        for call in calls:
            told = {"call_id": call["call_id"], "output": "done " * 40}
            self.history.append({"type": f"{call['type']}_output", **told})
        return bool(calls)

    def _seen(self, begin, count):
        """Note an event; a client that has seen enough leaves."""
        if count == 1:
            self._tally.first_events.append(time.monotonic() - begin)
        if self._leaves_after is not None and count > self._leaves_after:
            raise Left

    async def _answered(self, begin, more):
        payload = self._shape.payload([*self.history, *more])
        told, count = b"", 0
        async with self._posted(CODEX, payload) as response:
            await _check(response)
            state = response.headers.get("x-codex-turn-state")
            self._turn_state = self._turn_state or state
            async for chunk in response.content.iter_any():
                told += chunk
                for _ in range(chunk.count(b"\n\n")):
                    count += 1
                    self._seen(begin, count)
        *_, last = (event for event in events(told) if event.data)
        return whole(json.loads(last.data))

    async def _compacted(self, begin, more):
        fields = {k: v for k, v in self._shape.fields.items() if k != "stream"}
        payload = {**fields, "instructions": "", "input": self.history}
        async with self._posted(f"{CODEX}/compact", payload) as response:
            await _check(response)
            return json.loads(await response.read())["output"]

    def _posted(self, path, payload):
        headers = {**self._shape.headers, **self._place.headers}
        if self._turn_state is not None:
            headers["x-codex-turn-state"] = self._turn_state
        body = json.dumps(payload).encode()
        if self._is_packed:
            headers["content-encoding"] = "zstd"
            body = zstandard.compress(body)
        return _Posted(self._place, path, body, headers)


class _Posted:
    """A request; what the library raises becomes what the client makes of it."""

    def __init__(self, place, path, body, headers):
        self._context = place.session.post(place.url + path, data=body, headers=headers)

    async def __aenter__(self):
        try:
            return await self._context.__aenter__()
        except aiohttp.ClientError as error:
            raise Failed("no answer", str(error)) from error

    async def __aexit__(self, kind, error, trace):
        await self._context.__aexit__(kind, error, trace)
        if isinstance(error, aiohttp.ClientError):
            raise Lost(type(error).__name__) from error


async def _check(response):
    if response.status != 200:
        told = await response.read()
        try:
            error = json.loads(told)["error"]
        except (ValueError, KeyError):
            error = repr(told[:300])
        raise Failed(response.status, error)


def whole(event):
    """The output of a terminal event that is a good one."""
    if event["type"] == "response.completed":
        return event["response"]["output"]
    error = event.get("error") or event.get("response", {}).get("error") or {}
    if error.get("code") == "previous_response_not_found":
        raise Resend
    if error.get("code") == "stream_incomplete" and event["type"] != "error":
        raise Lost("told in the stream")
    raise Failed(event.get("status"), error)
