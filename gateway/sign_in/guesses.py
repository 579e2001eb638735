"""Guesses: one at a time for whoever guessed wrong, at whichever process."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from gateway.errors import GatewayError
from gateway.keys.key import digest
from gateway.protocol.facts import Origin
from gateway.sign_in.delays import (
    Counts,
    Delays,
    Waits,
    wait_after,
)
from gateway.sign_in.sessions import BrowserFacts
from gateway.sign_in.stored_delays import count_stored, forgive_stored
from gateway.sign_in.users import User, folded
from gateway.store.database import StoreUnavailable
from gateway.store.store import Store


class SignInRefused(GatewayError):
    """One text for all that may be wrong: it tells no guesser what is right."""

    status = 403
    code = "sign_in_refused"
    type = "permission_error"
    message = "Name, password or code is wrong"
    origin: Origin = "client"


class Guesses:
    """Takes proofs of who somebody is; what is wrong counts for all processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # As the database had it last, so that who has to wait costs it nothing.
        self._known = Delays()
        self._counting = asyncio.Lock()

    async def take(
        self,
        subjects: Sequence[str],
        proof: Coroutine[Any, Any, bool],
        waits: Waits = wait_after,
    ) -> None:
        """Await the proof. Raises SignInRefused when it is none, and SignInTooSoon.

        What was not looked at, the database being away, is held against nobody.
        """
        try:
            before = await self._count(subjects, waits)
        except BaseException:
            proof.close()
            raise
        try:
            is_right = await proof
        except GatewayError:
            self._forgive(before)
            raise
        if not is_right:
            raise SignInRefused
        self._forgive(before)

    async def _count(self, subjects: Sequence[str], waits: Waits) -> Counts:
        async with self._counting:  # of a hundred at once the others are known by then
            now = time.time()
            self._known.check(subjects, now, waits)
            before, held = await self._store.write(count_stored, subjects, now, waits)
            self._known.learn(held)
            self._known.drop_surplus(now)
            if before is None:  # counted elsewhere, and so it raises
                return self._known.check(subjects, now, waits)
            return before

    def _forgive(self, before: Counts) -> None:
        """Without waiting; what a full disk does not take is forgiven here alone."""
        self._known.forgive(before)
        with suppress(StoreUnavailable):
            self._store.writer.submit(forgive_stored, before, time.time())


def address_subject(browser: BrowserFacts) -> str:
    return digest(f"address {browser.network}")


def is_stranger(user: User | None, browser: BrowserFacts) -> bool:
    """Whether nobody of that name has signed in from there."""
    return user is None or browser.network not in user.networks


def subjects_of(name: str, user: User | None, browser: BrowserFacts) -> list[str]:
    """For whom a guess at an account is counted, whether there is one or not.

    From where a user signed in before it is for the two together: neither who guesses
    from elsewhere nor who shares the address keeps the user waiting.
    """
    if user is not None and not is_stranger(user, browser):
        return [digest(f"address {browser.network} account {user.id}")]
    return [address_subject(browser), digest(f"account {folded(name)}")]
