"""Guesses: one at a time for whoever guessed wrong, and remembered over a restart."""

import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from gateway.errors import GatewayError
from gateway.keys.key import digest
from gateway.protocol.facts import Origin
from gateway.sign_in.delays import (
    Counts,
    Delays,
    SignInTooSoon,
    Waits,
    wait_after,
)
from gateway.sign_in.sessions import BrowserFacts
from gateway.sign_in.stored_delays import keep_counts, load_counts
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
    """Takes proofs of who somebody is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._delays = Delays()

    async def start(self) -> None:
        """Take over what an earlier process counted. Raises StoreUnavailable."""
        self._delays.restore(await self._store.read(load_counts))

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
            before = self._delays.count_guess(subjects, time.time(), waits)
        except SignInTooSoon:
            proof.close()
            raise
        self._keep(subjects)
        try:
            is_right = await proof
        except GatewayError:
            self._forgive(before)
            raise
        if not is_right:
            raise SignInRefused
        self._forgive(before)

    def _forgive(self, before: Counts) -> None:
        self._delays.forgive(before)
        self._keep(before)

    def _keep(self, subjects: Iterable[str]) -> None:
        """Without waiting; what a full disk takes none of is counted here alone."""
        forgotten = self._delays.drop_surplus(time.time())
        with suppress(StoreUnavailable):
            counts = self._delays.counts(subjects)
            self._store.writer.submit(keep_counts, counts, forgotten)


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
