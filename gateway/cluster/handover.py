"""Handover: a successor process takes over without a gap in listening.

The successor is a new process of the same command, with the same sockets, the same
lock, and a link to its predecessor:

    successor    → ready      it runs, and has read nothing yet
    predecessor  → go         what it knew is in the database; its member's number
    successor    → serving    it accepts connections; the predecessor stops accepting

In between the successor joins the members of the database, and the predecessor keeps of
every limit only what its running turns hold; see `grants`. Until the end it serves on,
so a successor that fails costs nothing.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from gateway.cluster.peers import GO, READY, SERVING, PeerLink, Peers
from gateway.process.inherited_sockets import LISTENING, LOCK, PEER, start_process
from gateway.process.lockfile import Lock
from gateway.store.database import StoreUnavailable

logger = logging.getLogger("gateway")

# Until a successor serves: its imports, the migration of a large database.
HANDOVER_TIMEOUT = 120.0
# Until an unwanted successor has ended.
CHILD_EXIT_TIMEOUT = 5.0
_POLL = 0.02
_LOOK = 0.05


class HandoverFailed(Exception):
    """The successor does not serve; the message says why."""


class Predecessor(NamedTuple):
    """What of a process a handover needs."""

    peers: Peers
    member_id: int
    flush: Callable[[], Awaitable[None]]
    look: Callable[[], Awaitable[None]]  # for what has changed in the database


async def hand_over(
    process: Predecessor, sockets: Sequence[socket.socket], lock: Lock
) -> int:
    """Start a successor; its process number once it serves. Raises HandoverFailed.

    Cancelled, or failed, it leaves no successor.
    """
    peers = process.peers
    ours, theirs = socket.socketpair()
    passed = [(one.fileno(), LISTENING) for one in sockets]
    passed += [(lock.fileno(), LOCK), (theirs.fileno(), PEER)]
    link = await PeerLink.open(ours)
    with theirs:
        try:
            pid = start_process([sys.executable, *sys.orig_argv[1:]], passed)
        except OSError as error:
            link.close()
            raise HandoverFailed(f"it does not start: {error.strerror}") from error
    logger.info("handing over to process %d", pid)
    is_serving = False
    try:
        async with asyncio.timeout(HANDOVER_TIMEOUT):
            await _expect(link, READY)
            await process.flush()
            link.send(GO, process.member_id)
            link.member_id = await _expect_serving(link, process.look)
        is_serving = True
        peers.listen(link)
    except StoreUnavailable as error:
        raise HandoverFailed("the database takes no changes") from error
    except TimeoutError as error:
        raise HandoverFailed(
            f"it does not serve after {HANDOVER_TIMEOUT:.0f} s"
        ) from error
    finally:
        if not is_serving:
            peers.disconnect(link)
            link.close()
            await _end(pid)
    return pid


async def meet_predecessor(inherited: socket.socket) -> PeerLink:
    """Wait for the predecessor's GO; its link.

    One that dies meanwhile leaves the sockets to this process all the same.
    """
    link = await PeerLink.open(inherited)
    link.send(READY)
    with suppress(TimeoutError):
        async with asyncio.timeout(HANDOVER_TIMEOUT):
            while (message := await link.receive()) is not None and GO not in message:
                pass  # what earlier releases tell of keys and conversations
            link.member_id = (message or {}).get(GO) or 0
    return link


async def _expect(link: PeerLink, kind: str) -> int:
    """What the message of this kind says, which has to be the next."""
    message = await link.receive()
    if message is None or kind not in message:
        raise HandoverFailed("it ended before it served")
    return message[kind] or 0


async def _expect_serving(link: PeerLink, look: Callable[[], Awaitable[None]]) -> int:
    """The successor's member; meanwhile this process sees at once that it joins."""
    serving = asyncio.create_task(_expect(link, SERVING))
    try:
        while not serving.done():
            with suppress(StoreUnavailable):
                await look()
            await asyncio.wait({serving}, timeout=_LOOK)
        return serving.result()
    finally:
        serving.cancel()


async def _end(pid: int) -> None:
    """Stop a child process and collect its exit status."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + CHILD_EXIT_TIMEOUT
        while time.monotonic() < deadline:
            if _has_ended(pid):
                return
            await asyncio.sleep(_POLL)


def _has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid
