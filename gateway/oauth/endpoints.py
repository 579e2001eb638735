"""What clients ask of the authorization server by themselves: checked, and bounded.

Whoever sends more than a client ever does is told `slow_down`, and nothing is looked up
for it: a 429 or a 5xx would end a poll for good.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from gateway.accounts.bounded_cache import BoundedCache, hash_key
from gateway.admission.failed_keys import FailedKeys
from gateway.keys.key import digest
from gateway.oauth import device_flow
from gateway.oauth.client_rules import check_client, check_scope
from gateway.oauth.devices import Device
from gateway.oauth.errors import (
    AccessDenied,
    AuthorizationPending,
    InvalidGrant,
    OAuthError,
    SlowDown,
    UnsupportedGrantType,
)
from gateway.oauth.oauth import OAuth
from gateway.oauth.tokens import Issued
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.store import Store

CODE_GRANT = "authorization_code"
REFRESH_GRANT = "refresh_token"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_POLL_SECONDS = 5
LONGEST_POLL_SECONDS = 60
# One poll may take longer on its way than the next one.
_JITTER_SECONDS = 1.0
# Of an address, behind which a whole office may sign in on a Monday morning.
REQUESTS_PER_MINUTE = 300
# Of a device: a client that repeats a refresh does so seven times, and it may be two.
REFRESHES_PER_MINUTE = 120
# Of all its devices, which refresh six times an hour each.
REFRESHES_OF_SEAT_PER_MINUTE = 240
_MOST_CODES = 4096

OAuthForm = Mapping[str, str]


class Pace:
    """How often each device code is asked about; a restart forgets it."""

    def __init__(self) -> None:
        self._polls = BoundedCache[tuple[float, int]](_MOST_CODES)

    def note(self, code: str, now: float) -> tuple[bool, bool]:
        """Whether there was a poll before, and whether this one is early.

        An early one has to wait 5 s longer from now on (RFC 8628, 3.5). `now` is
        monotonic.
        """
        known = self._polls.get(hash_key(code))
        last, pause = known or (now - CODE_POLL_SECONDS, CODE_POLL_SECONDS)
        is_early = now - last < pause - _JITTER_SECONDS
        if is_early:
            pause = min(pause + CODE_POLL_SECONDS, LONGEST_POLL_SECONDS)
        self._polls.put(hash_key(code), (now, pause))
        return known is not None, is_early


class Endpoints:
    """One per process. Raises OAuthErrors, and StoreUnavailable."""

    def __init__(self, store: Store, oauth: OAuth) -> None:
        self._store = store
        self._oauth = oauth
        self._pace = Pace()
        self._addresses = FailedKeys(REQUESTS_PER_MINUTE)
        self._devices = FailedKeys(REFRESHES_PER_MINUTE)
        self._seats = FailedKeys(REFRESHES_OF_SEAT_PER_MINUTE)
        self._grants: Mapping[
            str, Callable[[OAuthForm, BrowserFacts], Awaitable[Issued]]
        ] = {
            CODE_GRANT: self._exchange,
            REFRESH_GRANT: self._refresh,
            DEVICE_GRANT: self._poll,
        }

    async def issue(self, form: OAuthForm, browser: BrowserFacts) -> Issued:
        """Tokens for whichever grant the form has."""
        grant = self._grants.get(required(form, "grant_type"))
        if grant is None:
            raise UnsupportedGrantType
        check_client(required(form, "client_id"))
        check_scope(form.get("scope", ""))
        return await grant(form, browser)

    async def begin_device(
        self, form: OAuthForm, browser: BrowserFacts
    ) -> tuple[str, str]:
        """A device code, and the code for a person. Raises TooManyPending."""
        check_client(required(form, "client_id"))
        check_scope(form.get("scope", ""))
        self._bound(browser.network)
        return await self._store.write(device_flow.begin, browser, time.time())

    async def revoke(self, form: OAuthForm, browser: BrowserFacts) -> None:
        """End the device of a token; of one that is none: nothing (RFC 7009, 2.2)."""
        check_client(required(form, "client_id"))
        token = required(form, "token")
        self._bound(browser.network)
        await self._oauth.revoke(token)

    async def _exchange(self, form: OAuthForm, browser: BrowserFacts) -> Issued:
        names = ("code", "client_id", "redirect_uri", "code_verifier")
        given = [required(form, name) for name in names]
        self._bound(browser.network)
        return await self._oauth.exchange_code(*given)

    async def _refresh(self, form: OAuthForm, browser: BrowserFacts) -> Issued:
        token = required(form, "refresh_token")
        device = self._oauth.device_of_refresh(token)
        if device is None:
            self._bound(browser.network)
        elif device.is_signed_out:
            raise InvalidGrant  # nothing is written for it
        elif self._is_flood(device, time.time()):
            raise SlowDown
        return await self._oauth.refresh(token, form["client_id"], browser.address)

    async def _poll(self, form: OAuthForm, browser: BrowserFacts) -> Issued:
        code, store = required(form, "device_code"), self._store
        hashed = digest(code)
        is_known, is_early = self._pace.note(hashed, time.monotonic())
        if is_early or not is_known:
            self._bound(browser.network)
        verdict = await store.read(device_flow.verdict_on, hashed, time.time())
        if is_early and verdict in (device_flow.UNDECIDED, device_flow.REDEEMED):
            raise SlowDown
        if verdict == device_flow.UNDECIDED:
            raise AuthorizationPending
        if verdict == device_flow.DENIED:
            raise AccessDenied
        redeem = partial(device_flow.redeem, code, browser.address, store.secrets)
        return await self._oauth.issued(await store.write(redeem, time.time()))

    def _is_flood(self, device: Device, now: float) -> bool:
        is_own = self._devices.count(str(device.id), now)
        return bool(is_own or self._seats.count(str(device.key_id), now))

    def _bound(self, network: str) -> None:
        if self._addresses.count(network, time.time()):
            raise SlowDown


def required(form: OAuthForm, name: str) -> str:
    if name not in form:
        raise OAuthError(f"{name} is missing")
    return form[name]
