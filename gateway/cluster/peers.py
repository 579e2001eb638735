"""Processes that serve the same data at the same time, while one follows another.

Each counts what the keys spend and remembers whose a conversation is; what one of
them learns the others must know with the next request. So they tell each other, a
line of JSON each. They form a chain: what one end tells is passed on to the other.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson

from gateway.accounts.affinity import BindingRow, Bindings
from gateway.keys.key import KeyRing
from gateway.keys.limiter import Limiter
from gateway.keys.usage_delta import Held, Move
from gateway.store.database import StoreUnavailable

Message = dict[str, Any]  # of one entry: what it is about, and what about it
READY, GO, SERVING = "ready", "go", "serving"
STANDING, MOVE, BINDING, RELOAD = "standing", "move", "binding", "reload"

# A key with tens of thousands of requests a minute has them all in its standing.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# A process that reads nothing for so long that this waits for it is as good as gone.
MOST_UNREAD = 4 * MAX_MESSAGE_BYTES


class Link:
    """A connection to one other process."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._reserved: Counter[tuple[int, int, int]] = Counter()
        self._running: Counter[int] = Counter()

    @classmethod
    async def open(cls, connected: socket.socket) -> "Link":
        connected.setblocking(False)
        opened = asyncio.open_unix_connection(sock=connected, limit=MAX_MESSAGE_BYTES)
        return cls(*await opened)

    def tell(self, about: str, what: object = None) -> None:
        """Never waits: a line is short, and the other process reads all the time."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MOST_UNREAD:
            self._writer.transport.abort()
            return
        self._writer.write(orjson.dumps({about: what}) + b"\n")

    async def hear(self) -> Message | None:
        """The next message, None when the other process is gone."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return orjson.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        self._writer.close()

    def note(self, move: Move) -> None:
        """Remember what the other process holds."""
        self._running[move.key_id] += move.running
        for held in move.held:
            window = (move.key_id, held.limit_id, held.window_start)
            self._reserved[window] += held.reserved

    def given_back(self) -> Iterable[Move]:
        """What the other process held is free when it is gone."""
        for key_id, running in self._running.items():
            yield Move(key_id, running=-running)
        for (key_id, limit_id, start), reserved in self._reserved.items():
            yield Move(key_id, held=(Held(limit_id, start, -reserved, 0),))


class Peers:
    """The processes this one is linked to; a predecessor, a successor, mostly none."""

    def __init__(
        self,
        ring: KeyRing,
        limiter: Limiter,
        bindings: Bindings,
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        """`reload` takes over what the database has, and tells nobody."""
        self._ring = ring
        self._limiter = limiter
        self._bindings = bindings
        self._reload = reload
        self._links: dict[Link, asyncio.Task[None] | None] = {}
        self._predecessor: Link | None = None
        self._is_last = asyncio.Event()
        self._is_last.set()

    def tell(
        self, about: str, what: object = None, besides: Link | None = None
    ) -> None:
        for link in self._links:
            if link is not besides:
                link.tell(about, what)

    def tell_move(self, move: Move) -> None:
        if move:
            self.tell(MOVE, move.as_list())

    def tell_binding(self, row: BindingRow) -> None:
        self.tell(BINDING, list(row))

    def follow(self, link: Link, told: Iterable[Message]) -> None:
        """Go on where the predecessor stands; `told` is what it said before GO."""
        for message in told:
            if MOVE not in message:  # it is in the standing that came after it
                self._take(link, message)
        self._predecessor = link
        self._is_last.clear()
        self.listen(link)

    async def introduce(self, link: Link, flush: Callable[[], Awaitable[None]]) -> None:
        """Tell a successor what it cannot read, and keep telling; ends with GO."""
        self._add(link, None)
        await flush()
        for key in self._ring:
            standing = self._limiter.standing(key)
            if standing:
                link.tell(STANDING, standing.as_list())
        link.tell(GO)

    def listen(self, link: Link) -> None:
        self._add(link, asyncio.create_task(self._listen(link)))

    def _add(self, link: Link, task: asyncio.Task[None] | None) -> None:
        self._links[link] = task
        self._limiter.usage_changed.subscribe(self.tell_move)
        self._bindings.binding_changed.subscribe(self.tell_binding)

    def forget(self, link: Link) -> None:
        """The other process is gone, or will not serve."""
        if link not in self._links:
            return
        task = self._links.pop(link)
        if not self._links:  # turns need not tell what nobody hears
            self._limiter.usage_changed.unsubscribe(self.tell_move)
            self._bindings.binding_changed.unsubscribe(self.tell_binding)
        if task is not None:
            task.cancel()
        link.close()
        for move in link.given_back():
            self._learn(move)
            self.tell_move(move)
        if link is self._predecessor:
            self._is_last.set()

    async def wait_for_predecessor(self) -> None:
        """Return once the process before this one has ended."""
        await self._is_last.wait()

    def close(self) -> None:
        for link in list(self._links):
            self.forget(link)

    async def _listen(self, link: Link) -> None:
        try:
            while (message := await link.hear()) is not None:
                self._take(link, message)
                for about, what in message.items():
                    self.tell(about, what, besides=link)
                if RELOAD in message:
                    with suppress(StoreUnavailable):  # as old as before, no older
                        await self._reload()
        finally:
            self.forget(link)

    def _take(self, link: Link, message: Message) -> None:
        for about, what in message.items():
            if about == BINDING:
                self._bindings.learn(BindingRow(*what), time.time())
            elif about in (MOVE, STANDING):
                move = Move.of_list(what)
                link.note(move)
                self._learn(move, is_whole=about == STANDING)

    def _learn(self, move: Move, *, is_whole: bool = False) -> None:
        key = self._ring.get(move.key_id)
        if key is not None:
            (self._limiter.adopt if is_whole else self._limiter.learn)(key, move)
