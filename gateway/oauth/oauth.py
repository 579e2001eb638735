"""OAuth: who may sign in with Codex, on which devices, and with which tokens.

Synchronous, in memory:

    oauth.seat_of(user_id)            the Key that is a person's seat, or None
    oauth.devices(key_id=None)        the Devices, of a seat or of all
    oauth.device(device_id)           the Device, or None
    authorization.read_request(query) checks a client's link to /oauth/authorize

Awaited; each may raise StoreUnavailable (503), and an OAuthError with the RFC's code:

    open_request, pending             the browser's flow: /oauth/authorize, consent
    approve, deny                     give the URL that brings the client the answer
    exchange_code, refresh, revoke    for the endpoints
    issued                            takes over what a transaction of another flow made
    sign_out                          ends a device, softly or at once
"""

import asyncio
import time
from contextlib import suppress
from functools import partial

from gateway.admission.client_address import RequestFacts
from gateway.keys.key import Key, KeyRing
from gateway.oauth import authorization, codes, tokens
from gateway.oauth.authorization import PendingRequest, SignInLink
from gateway.oauth.client_rules import check_client
from gateway.oauth.device_access import DeviceAccess
from gateway.oauth.devices import (
    LONGEST_DEVICE_NAME,
    Device,
    EndReason,
    end_devices,
    load_devices,
)
from gateway.oauth.errors import InvalidGrant
from gateway.oauth.tokens import Issued, KnownToken, NotIssued
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.database import StoreUnavailable
from gateway.store.encryption import SecretBox
from gateway.store.store import Store
from gateway.store.users.oauth_tables import DeviceRow


class OAuth:
    """One per process; devices and access tokens are in memory, as keys are."""

    def __init__(self, store: Store, secrets: SecretBox, ring: KeyRing) -> None:
        self._store = store
        self._secrets = secrets
        self._ring = ring
        self.access = DeviceAccess(store, ring)
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Take over what the database has. Raises StoreUnavailable."""
        async with self._loading:  # what is older never comes after what is newer
            now = time.time()
            devices = await self._store.read(load_devices)
            known = await self._store.read(tokens.load_tokens, now)
            self.access.replace(devices, known, now)

    async def learn(self, facts: RequestFacts, network: str) -> None:
        """Look up a token that another process may have issued, and its device."""
        if await self.access.learn(facts, network):
            with suppress(StoreUnavailable):
                await self.load()

    # Questions.

    def seat_of(self, user_id: int) -> Key | None:
        """The key that is a person's seat."""
        return next((key for key in self._ring if key.user_id == user_id), None)

    def devices(self, key_id: int | None = None) -> list[Device]:
        """Of a seat or of all, those that ended within 90 days among them."""
        held = self.access.devices.values()
        return [one for one in held if key_id is None or one.key_id == key_id]

    def device(self, device_id: int) -> Device | None:
        return self.access.devices.get(device_id)

    def device_of_refresh(self, token: str) -> Device | None:
        """Whose refresh token it is or was, as far as this process knows."""
        family = tokens.family_of(token)
        held = self.access.devices.values()
        return next((one for one in held if one.family == family), None)

    # What pages ask for.

    async def open_request(
        self, asked: SignInLink, browser: BrowserFacts, user_id: int
    ) -> str:
        """The handle of a new pending request, for ten minutes.

        It stands in the consent form, and in no URL.
        """
        return await self._store.write(
            authorization.open_request, asked, browser, user_id, time.time()
        )

    async def pending(self, handle: str) -> PendingRequest:
        """What consent shows of it. Raises RequestOver."""
        return await self._store.page(authorization.read_pending, handle, time.time())

    async def check_seat(self, user_id: int) -> None:
        """Raises SeatLacking, saying what the person can do about it."""
        await self._store.page(authorization.seat_with_room, user_id, time.time())

    async def approve(self, handle: str, user_id: int, device_name: str) -> str:
        """The URL that brings the client its code. Raises RequestOver, SeatLacking.

        Who asks for it has seen a fresh sign-in of that user.
        """
        name = device_name_of(device_name)
        write = self._store.write
        return await write(codes.approve, handle, user_id, name, time.time())

    async def deny(self, handle: str) -> str:
        """The URL that tells the client so. Raises RequestOver."""
        return await self._store.write(codes.deny, handle, time.time())

    async def sign_out(self, device_id: int, actor: str, *, at_once: bool) -> bool:
        """End a device; whether there was one to end.

        Softly: it gets no more tokens, and what it has runs out. At once: from its next
        turn on it is refused. Whoever asks has checked whose device it is.
        """
        reason = EndReason.ENDED if at_once else EndReason.SIGNED_OUT
        which = DeviceRow.id == device_id
        ended = await self._store.write(end_devices, which, reason, actor, time.time())
        await self.load()
        return bool(ended)

    # What endpoints ask for.

    async def exchange_code(
        self, code: str, client_id: str, redirect_uri: str, verifier: str
    ) -> Issued:
        """Raises InvalidClient, InvalidGrant: once for a code, whatever is wrong."""
        check_client(client_id)
        change = partial(codes.exchange, code, redirect_uri, verifier)
        issued = await self._store.write(change, time.time())
        return await self.issued(issued, "The code is wrong, used or too old")

    async def refresh(self, token: str, client_id: str, address: str) -> Issued:
        """The successor; the same one always has the same.

        Raises InvalidClient, InvalidGrant: the device has ended or does so now.
        """
        check_client(client_id)
        if not tokens.is_refresh_token(token):
            raise InvalidGrant
        issued = await self._store.write(
            tokens.refresh_device, token, address, self._secrets, time.time()
        )
        return await self.issued(issued)

    async def revoke(self, token: str) -> None:
        """End the device of an access or refresh token; of none: nothing."""
        if await self._store.write(tokens.revoke_token, token, time.time()):
            await self.load()

    async def issued(
        self, issued: Issued | NotIssued, why: str = InvalidGrant.message
    ) -> Issued:
        """Know the tokens that a transaction gave, and their device.

        Raises InvalidGrant when it gave none.
        """
        if isinstance(issued, NotIssued):
            if issued.has_ended:
                await self.load()
            raise InvalidGrant(why)
        known = KnownToken(issued.device_id, issued.generation, issued.expires_at)
        self.access.add(issued.access.reveal(), known)
        async with self._loading:  # what it has read may be older
            self.access.keep(issued.device)
        return issued


def device_name_of(name: str) -> str:
    """A device's name as it is kept."""
    shown = "".join(c if c.isprintable() else "?" for c in name.strip())
    return shown[:LONGEST_DEVICE_NAME] or "Codex"
