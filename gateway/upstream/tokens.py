"""Tokens that stay fresh: one refresh at a time, across tasks and processes.

Upstream rotates the refresh token with every use, and whoever uses a spent one
loses the login. So the new token is in the database before anything uses it, a
claim row keeps other processes out meanwhile, and the Codex file an account was
imported from is looked at first: Codex may have rotated the token itself.
"""

import asyncio
import math
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import aiohttp

from gateway.accounts.account import Account, Credentials
from gateway.accounts.health import AccountStatus
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import PERMANENT_CODES
from gateway.protocol.local_failures import token_refresh_failed
from gateway.secret import Secret
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.api import post_json
from gateway.upstream.logins.auth_json import Login, read_login
from gateway.upstream.logins.refresh_answer import (
    refresh_failure,
    rotated_credentials,
)

# The public client of the Codex command line.
CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
EARLY_SECONDS = 300.0  # a token this near its end is refreshed
REFRESH_CLAIM_WAIT = 3.0  # a token that still works is not worth a longer one
CLAIM_SECONDS = 60.0  # longer than any call, so that a crashed owner blocks briefly
CLAIM_POLL = 0.25
FAILURE_SECONDS = 5.0  # a failed refresh is not tried again for so long
# Nor is one that brought a token as near its end: such come from a clock that is off.
SHORT_LIVED_SECONDS = 30.0
RENEWAL_PAUSE = 60.0  # after one upon a 401; doubles while new tokens are refused
LONGEST_RENEWAL_PAUSE = 600.0


class CredentialStore(Protocol):
    """What the database offers for credentials; each call is done when it returns."""

    async def claim(self, account_id: int, owner: str, ttl: float) -> bool: ...
    async def release_claim(self, account_id: int, owner: str) -> None: ...
    async def save_credentials(
        self, account_id: int, credentials: Credentials, replaced: Credentials
    ) -> Credentials: ...
    async def load_credentials(self, account_id: int) -> Credentials | None: ...


class TokenSource:
    """Keeps the accounts' tokens usable; `observe` hears of a lost login."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        auth_base_url: str,
        store: CredentialStore,
        observe: Callable[[Account, Failure], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._url = auth_base_url.rstrip("/") + "/oauth/token"
        self._store = store
        self._observe = observe
        self._clock = clock
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self._flights: dict[int, asyncio.Task[Failure | None]] = {}
        # When (monotonic): the wall clock may jump.
        self._failed: dict[int, tuple[float, Secret | None, Failure]] = {}
        self._refreshed: dict[int, float] = {}
        self._renewals: dict[int, tuple[float, float]] = {}  # after a 401, and pauses

    async def ensure_fresh(self, account: Account) -> None:
        """Refresh when the token ends within five minutes.

        Raises UpstreamFault when there is no usable token; goes on with the old
        one while that lasts.
        """
        held = account.credentials
        if held.bearer is None:
            raise UpstreamFault(
                token_refresh_failed("It has no credentials", "no_credentials")
            )
        if held.refresh_token is None or held.expires_at is None:
            return
        left = held.expires_at - self._clock()
        if left > EARLY_SECONDS or self._is_vain(account):
            return
        flight = self._flight(account)
        await asyncio.wait(
            {flight}, timeout=REFRESH_CLAIM_WAIT if left > REFRESH_CLAIM_WAIT else None
        )
        if not flight.done():
            return
        try:
            failure = flight.result()
        except StoreUnavailable:
            if left <= 0:
                raise
            return  # the one that has not ended will do until the database is back
        if failure is not None and (left <= 0 or failure.code in PERMANENT_CODES):
            raise UpstreamFault(failure)

    async def refresh_after_401(self, account: Account, used: Secret | None) -> bool:
        """Whether there is a new token to try. `used` is the one that was refused."""
        held = account.credentials
        if held.refresh_token is None:
            return False
        if used != held.access_token:
            return True
        is_joined = account.id in self._flights
        if not is_joined and (self._is_vain(account) or self._was_renewed(account)):
            return False
        failure = await asyncio.shield(self._flight(account))
        if failure is None:
            return True
        # Many may have waited for this one refresh: it counts once.
        if account.health.status(self._clock()) is AccountStatus.ACTIVE:
            self._observe(account, failure)
        return False

    def _was_renewed(self, account: Account) -> bool:
        """Whether a renewal was tried a while ago; doubled where none worked."""
        now = time.monotonic()
        at, pause = self._renewals.get(account.id, (-math.inf, 0.0))
        if has_worked := account.health.has_worked:
            pause = min(pause, RENEWAL_PAUSE)
        was_renewed = now - at < pause
        if not was_renewed:
            account.health.has_worked = False
            is_again = now - at < 2 * pause and not has_worked
            longer = min(LONGEST_RENEWAL_PAUSE, 2 * pause)
            at, pause = now, longer if is_again else RENEWAL_PAUSE
        self._renewals[account.id] = at, pause
        return was_renewed

    async def close(self) -> None:
        """Let running refreshes end: a rotated token must reach the database."""
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    def _flight(self, account: Account) -> "asyncio.Task[Failure | None]":
        """The one refresh of the account; a waiter's cancellation does not end it."""
        flight = self._flights.get(account.id)
        if flight is None:
            flight = asyncio.create_task(self._run(account))
            self._flights[account.id] = flight
            flight.add_done_callback(lambda _: self._flights.pop(account.id, None))
        return flight

    async def _run(self, account: Account) -> Failure | None:
        refresh_token = account.credentials.refresh_token
        failed_at, failed, failure = self._failed.get(account.id, (0.0, None, None))
        if failed == refresh_token and time.monotonic() - failed_at < FAILURE_SECONDS:
            return failure
        try:
            failure = await self._refresh_alone(account)
        except UpstreamFault as fault:
            failure = replace(fault.failure, code="token_refresh_failed")
        now = time.monotonic()
        if failure is None:
            self._refreshed[account.id] = now
            self._failed.pop(account.id, None)
        else:
            failed = account.credentials.refresh_token
            self._failed[account.id] = now, failed, failure
        return failure

    async def _refresh_alone(self, account: Account) -> Failure | None:
        """Refresh under the claim, or take what another process got meanwhile."""
        if not await self._claim(account):
            return None
        try:
            if await self._take_stored(account) or await self._take_file(account):
                return None
            return await self._rotate_or_take(account)
        finally:
            await self._store.release_claim(account.id, self._owner)

    async def _claim(self, account: Account) -> bool:
        """False when the claim's owner left fresh tokens while we waited for it."""
        deadline = time.monotonic() + CLAIM_SECONDS
        while not await self._store.claim(account.id, self._owner, CLAIM_SECONDS):
            if await self._take_stored(account):
                return False
            if time.monotonic() > deadline:
                raise UpstreamFault(
                    token_refresh_failed("another process is at it", "")
                )
            await asyncio.sleep(CLAIM_POLL)
        return True

    async def _rotate_or_take(self, account: Account) -> Failure | None:
        tried = account.credentials.refresh_token
        failure = await self._rotate(account)
        if failure is None or failure.code not in PERMANENT_CODES:
            return failure
        # Somebody may have spent the token a moment ago and left a newer one.
        if await self._take_file(account) or await self._take_stored(account):
            return None
        if account.credentials.refresh_token != tried:
            return await self._rotate(account)
        return failure

    async def _take_stored(self, account: Account) -> bool:
        """Whether the database holds tokens that are new to us and fresh."""
        stored = await self._store.load_credentials(account.id)
        held = account.credentials
        if stored is None or stored.has_same_tokens(held):
            return False
        account.credentials = stored
        return self._is_news(account, held)

    async def _take_file(self, account: Account) -> bool:
        """Whether the file the account came from holds newer tokens that are fresh."""
        login = await asyncio.get_running_loop().run_in_executor(
            None, _read_source, account.source_path
        )
        held = account.credentials
        if login is None or login.chatgpt_account_id != account.chatgpt_account_id:
            return False
        found = login.credentials
        if found.refresh_token == held.refresh_token or (
            (found.expires_at or 0) < (held.expires_at or 0)
        ):
            return False
        return self._is_news(account, await self._save(account, found))

    async def _save(self, account: Account, new: Credentials) -> Credentials:
        """Store new ones and use them; those that were used before.

        Who was stopped for longer than its claim lasts takes what others have stored.
        """
        held = account.credentials
        account.credentials = await self._store.save_credentials(account.id, new, held)
        return held

    def _is_news(self, account: Account, held: Credentials) -> bool:
        found = account.credentials
        return self._is_fresh(found) and found.access_token != held.access_token

    def _is_vain(self, account: Account) -> bool:
        """Whether a refresh a moment ago brought a token that is near its end, too."""
        is_young = self._refreshed_within(SHORT_LIVED_SECONDS, account)
        return is_young and not self._is_fresh(account.credentials)

    def _refreshed_within(self, seconds: float, account: Account) -> bool:
        at = self._refreshed.get(account.id)
        return at is not None and time.monotonic() - at < seconds

    def _is_fresh(self, credentials: Credentials) -> bool:
        left = (credentials.expires_at or 0) - self._clock()
        return credentials.expires_at is None or left > EARLY_SECONDS

    async def _rotate(self, account: Account) -> Failure | None:
        held = account.credentials
        if held.refresh_token is None:
            return token_refresh_failed("It has no refresh token", "no_credentials")
        asked = {
            "client_id": CLIENT_ID,
            "grant_type": "refresh_token",
            "refresh_token": held.refresh_token.reveal(),
        }
        answer = await post_json(self._session, self._url, asked)
        try:
            rotated = rotated_credentials(answer, held)
        except ValueError:
            return refresh_failure(answer)
        await self._save(account, rotated)
        return None


def _read_source(path: str | None) -> Login | None:
    """The login in the file of an import, None when it is not there any more."""
    if path is None:
        return None
    try:
        return read_login(path)
    except (OSError, ValueError):
        return None
