"""One process takes over from another without a moment in which nobody listens.

The successor is a new process of the same command, with the same sockets, the same
lock, and a link to its predecessor:

    successor    → ready      it runs, and has read nothing yet
    predecessor  → go         after what the database does not have; see `peers`
    successor    → serving    it accepts connections; the predecessor stops to

Until then the predecessor serves as ever, so a successor that fails costs nothing.
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

from gateway.cluster.peers import GO, READY, SERVING, Link, Message, Peers
from gateway.process.inherited_sockets import LISTENING, LOCK, PEER, start_process
from gateway.process.lockfile import Lock
from gateway.store.database import StoreUnavailable

logger = logging.getLogger("gateway")

# For a successor to serve: its imports, the migration of a large database.
HANDOVER_TIMEOUT = 120.0
# For one that is not wanted any more to end.
CHILD_EXIT_TIMEOUT = 5.0
_POLL = 0.02


class NotTakenOver(Exception):
    """The successor does not serve; the message says why."""


async def hand_over(
    peers: Peers,
    flush: Callable[[], Awaitable[None]],
    sockets: Sequence[socket.socket],
    lock: Lock,
) -> int:
    """Start a successor; its process number once it serves. Raises NotTakenOver.

    Cancelled, or failed, it leaves no successor.
    """
    ours, theirs = socket.socketpair()
    passed = [(one.fileno(), LISTENING) for one in sockets]
    passed += [(lock.fileno(), LOCK), (theirs.fileno(), PEER)]
    link = await Link.open(ours)
    with theirs:
        try:
            pid = start_process([sys.executable, *sys.orig_argv[1:]], passed)
        except OSError as error:
            link.close()
            raise NotTakenOver(f"it does not start: {error.strerror}") from error
    logger.info("handing over to process %d", pid)
    is_serving = False
    try:
        async with asyncio.timeout(HANDOVER_TIMEOUT):
            await _heard(link, READY)
            await peers.introduce(link, flush)
            await _heard(link, SERVING)
        is_serving = True
        peers.listen(link)
    except StoreUnavailable as error:
        raise NotTakenOver("the database takes no changes") from error
    except TimeoutError as error:
        raise NotTakenOver(
            f"it does not serve after {HANDOVER_TIMEOUT:.0f} s"
        ) from error
    finally:
        if not is_serving:
            peers.forget(link)
            link.close()
            await _end(pid)
    return pid


async def meet_predecessor(inherited: socket.socket) -> tuple[Link, list[Message]]:
    """Wait until the predecessor lets this process begin; what it told until then.

    One that dies meanwhile leaves the sockets to this process all the same.
    """
    link, told = await Link.open(inherited), []
    link.tell(READY)
    with suppress(TimeoutError):
        async with asyncio.timeout(HANDOVER_TIMEOUT):
            while (message := await link.hear()) is not None and GO not in message:
                told.append(message)
    return link, told


async def _heard(link: Link, about: str) -> None:
    message = await link.hear()
    if message is None or about not in message:
        raise NotTakenOver("it ended before it served")


async def _end(pid: int) -> None:
    """End a child that nobody needs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + CHILD_EXIT_TIMEOUT
        while time.monotonic() < deadline:
            if _has_ended(pid):
                return
            await asyncio.sleep(_POLL)


def _has_ended(pid: int) -> bool:
    """And no entry of it is left in the process table."""
    return os.waitpid(pid, os.WNOHANG)[0] == pid
