"""Peers: processes of which one succeeds another, linked by socket pairs.

They tell when one serves, and when there is something new to load; what keys use they
agree in the database. They form a chain: what arrives over one link is sent on over
the others, one line of JSON for each message.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson

from gateway.store.database import StoreUnavailable

# Kinds of messages. Processes of different releases talk: the words stay as they are.
READY, GO, SERVING, RELOAD = "ready", "go", "serving", "reload"
Message = dict[str, Any]  # of one entry: kind → body

# Earlier releases told what keys use, in long messages.
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
        self.member_id = 0  # the other's, once it is told

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


class Peers:
    """The linked processes: a predecessor, a successor, mostly none."""

    def __init__(
        self,
        reload: Callable[[], Awaitable[None]],
        note_gone: Callable[[int], Awaitable[None]],
    ) -> None:
        """`reload` loads what the database has, and sends no message.

        `note_gone` is told which member a linked process was that has ended, 0 for
        one of a release without members.
        """
        self._reload = reload
        self._note_gone = note_gone
        self._links: dict[PeerLink, asyncio.Task[None]] = {}
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

    def follow(self, predecessor: PeerLink) -> None:
        """Go on behind the predecessor, until it ends."""
        self._predecessor = predecessor
        self._is_last.clear()
        self.listen(predecessor)

    def listen(self, link: PeerLink) -> None:
        """Handle its messages until it closes."""
        self._links[link] = asyncio.create_task(self._listen(link))

    def disconnect(self, link: PeerLink) -> None:
        """The other process is gone, or will not serve."""
        if link not in self._links:
            return
        self._links.pop(link).cancel()
        link.close()
        if link is self._predecessor:
            self._is_last.set()

    async def wait_for_predecessor(self) -> None:
        """Return once the process before this one has ended."""
        await self._is_last.wait()

    def close(self) -> None:
        for link in list(self._links):
            self.disconnect(link)

    async def _listen(self, link: PeerLink) -> None:
        try:
            while (message := await link.receive()) is not None:
                for kind, body in message.items():
                    self.broadcast(kind, body, source=link)
                if RELOAD in message:
                    with suppress(StoreUnavailable):  # as old as before, no older
                        await self._reload()
            with suppress(StoreUnavailable):  # else its silence will tell it
                await self._note_gone(link.member_id)
        finally:
            self.disconnect(link)
