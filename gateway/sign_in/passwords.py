"""Passwords: hashed and checked with argon2id, off the loop and a few at a time."""

import asyncio
import os
import sys
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import GatewayOverloaded, InvalidPayload

T = TypeVar("T")

LEAST_CHARACTERS = 12
MOST_BYTES = 256  # more than anybody types, and nothing that takes long to read
# 64 MiB and 0.1 to 0.2 s of one core each: 128 MiB at a time, whoever asks.
AT_A_TIME = 2
# The last of them waits for about two seconds.
MOST_IN_LINE = 16
# Of these places, what strangers leave: who was here before gets in through a flood.
KEPT_FREE = 4
# Below the process: a guesser gets what the turns leave of the processor.
NICENESS = 10
# RFC 9106's second choice, in one lane: a check takes no second core from the turns.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)


class WeakPassword(InvalidPayload):
    message = (
        f"A password has {LEAST_CHARACTERS} characters or more, and {MOST_BYTES} bytes "
        "at most"
    )


class Passwords:
    """Both methods wait for others in a bounded line; beyond it GatewayOverloaded."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(
            AT_A_TIME, thread_name_prefix="password", initializer=_give_way
        )
        places = AT_A_TIME + MOST_IN_LINE
        self._places = threading.BoundedSemaphore(places)
        self._strangers = threading.BoundedSemaphore(places - KEPT_FREE)

    async def hash(self, password: str) -> str:
        """What is kept of it. Raises WeakPassword."""
        text = _normal(password)
        if len(text) < LEAST_CHARACTERS or len(text.encode()) > MOST_BYTES:
            raise WeakPassword(param="password")
        return await self._run(_HASHER.hash, text)

    async def matches(
        self, password: str, kept: str | None, *, is_stranger: bool = False
    ) -> bool:
        """Whether it is the one; takes as long where there is none."""
        text = _normal(password)
        if len(text.encode()) > MOST_BYTES:
            return False
        if not is_stranger:
            return await self._run(_matches, text, kept or _nobodys())
        _take(self._strangers)
        try:
            return await self._run(_matches, text, kept or _nobodys())
        finally:
            self._strangers.release()

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        _take(self._places)
        job = self._threads.submit(function, *args)
        # Also of one that nobody waits for any more.
        job.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(job)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _take(places: threading.Semaphore) -> None:
    if not places.acquire(blocking=False):
        raise GatewayOverloaded("Too many sign in at the moment; try again")


def _give_way() -> None:
    """Turns go first, whoever guesses; only Linux ranks a process's threads."""
    if sys.platform == "linux":
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), own + NICENESS)


def _normal(password: str) -> str:
    """The same whatever keyboard it was typed on."""
    # Whatever is longer stays too long: nobody has a page of text made the same.
    text = unicodedata.normalize("NFKC", password[: 4 * MOST_BYTES])
    return text.encode("utf-8", "replace").decode()


def _matches(password: str, kept: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def _nobodys() -> str:
    """A hash of no password, which takes as long to check as any."""
    salt, digest = (b64encode(os.urandom(n)).decode().rstrip("=") for n in (16, 32))
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"
