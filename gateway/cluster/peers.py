"""Peers: processes that serve from one database while one succeeds another.

Each counts what the keys use, and what one of them counts must hold for the next
request at the others. So they send it to each other, one line of JSON for each message.
They form a chain: what arrives over one link is sent on over the others.
"""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson

from gateway.keys.key import KeyRing
from gateway.keys.limiter import Limiter
from gateway.keys.usage_delta import CounterDelta, UsageDelta
from gateway.store.database import StoreUnavailable

# Kinds of messages. Processes of different releases talk: the words stay as they are.
READY, GO, SERVING = "ready", "go", "serving"
SNAPSHOT, DELTA, RELOAD = "standing", "move", "reload"
Message = dict[str, Any]  # of one entry: kind → body

# A key with tens of thousands of requests a minute has them all in its snapshot.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# A process that lets so much wait unread is taken for dead.
MAX_UNREAD_BYTES = 4 * MAX_MESSAGE_BYTES


class PeerLink:
    """A connection to one other process."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._reserved: Counter[tuple[int, int, int]] = Counter()
        self._running: Counter[int] = Counter()

    @classmethod
    async def open(cls, connected: socket.socket) -> "PeerLink":
        connected.setblocking(False)
        opened = asyncio.open_unix_connection(sock=connected, limit=MAX_MESSAGE_BYTES)
        return cls(*await opened)

    def send(self, kind: str, body: object = None) -> None:
        """Never waits: a line is short, and the other process reads all the time."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._writer.transport.abort()
            return
        # Unlike orjson, it writes a named tuple as a list.
        line = json.dumps({kind: body}, separators=(",", ":"))
        self._writer.write(line.encode() + b"\n")

    async def receive(self) -> Message | None:
        """The next message, None when the other process is gone."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return orjson.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        self._writer.close()

    def track(self, delta: UsageDelta) -> None:
        """Remember what the other process holds."""
        self._running[delta.key_id] += delta.running
        for change in delta.counters:
            window = (delta.key_id, change.limit_id, change.window_start)
            self._reserved[window] += change.reserved

    def released(self) -> Iterable[UsageDelta]:
        """What gives back all that the other process held, once it is gone."""
        for key_id, running in self._running.items():
            yield UsageDelta(key_id, running=-running)
        for (key_id, limit_id, start), reserved in self._reserved.items():
            change = CounterDelta(limit_id, start, -reserved, 0)
            yield UsageDelta(key_id, counters=(change,))


class Peers:
    """The linked processes: a predecessor, a successor, mostly none."""

    def __init__(
        self,
        ring: KeyRing,
        limiter: Limiter,
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        """`reload` loads what the database has, and sends no message."""
        self._ring = ring
        self._limiter = limiter
        self._reload = reload
        self._links: dict[PeerLink, asyncio.Task[None] | None] = {}
        self._predecessor: PeerLink | None = None
        self._is_last = asyncio.Event()
        self._is_last.set()

    def broadcast(
        self, kind: str, body: object = None, source: PeerLink | None = None
    ) -> None:
        """Send to every peer but the one it came from."""
        for link in self._links:
            if link is not source:
                link.send(kind, body)

    def follow(self, predecessor: PeerLink, backlog: Iterable[Message]) -> None:
        """Go on from the predecessor's state; `backlog` is what it sent before GO."""
        for message in backlog:
            if DELTA not in message:  # the snapshot that came after it contains it
                self._handle(predecessor, message)
        self._predecessor = predecessor
        self._is_last.clear()
        self.listen(predecessor)

    async def send_snapshot(
        self, successor: PeerLink, flush: Callable[[], Awaitable[None]]
    ) -> None:
        """Send what the database does not have, then GO; changes are sent on."""
        self._add(successor, None)
        await flush()
        for key in self._ring:
            snapshot = self._limiter.snapshot(key)
            if snapshot:
                successor.send(SNAPSHOT, snapshot)
        successor.send(GO)

    def listen(self, link: PeerLink) -> None:
        """Handle its messages until it closes."""
        self._add(link, asyncio.create_task(self._listen(link)))

    def disconnect(self, link: PeerLink) -> None:
        """The other process is gone, or will not serve."""
        if link not in self._links:
            return
        task = self._links.pop(link)
        if not self._links:
            self._limiter.usage_changed.unsubscribe(self._send_delta)
        if task is not None:
            task.cancel()
        link.close()
        for delta in link.released():
            self._apply(delta)
            self._send_delta(delta)
        if link is self._predecessor:
            self._is_last.set()

    async def wait_for_predecessor(self) -> None:
        """Return once the process before this one has ended."""
        await self._is_last.wait()

    def close(self) -> None:
        for link in list(self._links):
            self.disconnect(link)

    def _add(self, link: PeerLink, task: asyncio.Task[None] | None) -> None:
        self._links[link] = task
        self._limiter.usage_changed.subscribe(self._send_delta)

    def _send_delta(self, delta: UsageDelta) -> None:
        if delta:
            self.broadcast(DELTA, delta)

    async def _listen(self, link: PeerLink) -> None:
        try:
            while (message := await link.receive()) is not None:
                self._handle(link, message)
                for kind, body in message.items():
                    self.broadcast(kind, body, source=link)
                if RELOAD in message:
                    with suppress(StoreUnavailable):  # as old as before, no older
                        await self._reload()
        finally:
            self.disconnect(link)

    def _handle(self, link: PeerLink, message: Message) -> None:
        for kind, body in message.items():
            if kind in (DELTA, SNAPSHOT):
                delta = UsageDelta.from_json(body)
                link.track(delta)
                self._apply(delta, is_snapshot=kind == SNAPSHOT)

    def _apply(self, delta: UsageDelta, *, is_snapshot: bool = False) -> None:
        key = self._ring.get(delta.key_id)
        if key is None:
            return
        if is_snapshot:
            self._limiter.apply_snapshot(key, delta)
        else:
            self._limiter.apply(key, delta)
