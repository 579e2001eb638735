"""DeviceAccess: whose an access token is; devices and tokens in memory, as keys are."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol
from weakref import WeakKeyDictionary

from gateway.admission.client_address import RequestFacts
from gateway.admission.lookups import TOKEN_LOOKUP_SECONDS, Lookups
from gateway.admission.presented_token import presented_token
from gateway.keys.key import Flaw, Key, KeyRing, digest
from gateway.oauth import tokens
from gateway.oauth.devices import LEEWAY_SECONDS, Device, EndReason
from gateway.oauth.seats import public_part
from gateway.oauth.tokens import (
    ACCESS_SECONDS,
    KNOWN_SECONDS,
    KnownToken,
    is_access_token,
)
from gateway.store.database import StoreUnavailable
from gateway.store.store import Store

_SWEEP_SECONDS = 1.0
# A token's time is taken before it is written, and the writer may wait for a lock.
_SLOWEST_WRITE_SECONDS = 60.0


class DeviceSocket(Protocol):
    """A client's socket, as this ends it."""

    def drain(self) -> None:
        """Close as soon as no turn is running."""


class DeviceAccess:
    """Finds the seat of an access token, in memory; `learn` reads what it has not."""

    def __init__(
        self, store: Store, ring: KeyRing, lookup_seconds: float = TOKEN_LOOKUP_SECONDS
    ) -> None:
        self._store = store
        self._ring = ring
        self.devices: dict[int, Device] = {}
        self._tokens: dict[str, KnownToken] = {}  # by digest, the oldest first
        self._sockets: WeakKeyDictionary[DeviceSocket, int] = WeakKeyDictionary()
        self._lookups = Lookups(store, lookup_seconds)

    def replace(
        self, devices: Iterable[Device], known: Mapping[str, KnownToken], now: float
    ) -> None:
        """Take over what the database had at `now`; what was issued meanwhile stays."""
        self.devices = {device.id: device for device in devices}
        held, since = self._tokens, now - _SLOWEST_WRITE_SECONDS + ACCESS_SECONDS
        new = {hashed: held.get(hashed, token) for hashed, token in known.items()}
        late = {one: held[one] for one in held if held[one].expires_at >= since}
        self._tokens = new | late

    def add(self, access: str, token: KnownToken) -> None:
        """Know a token that was issued here."""
        self._forget(time.time())
        self._tokens[digest(access)] = token

    def keep(self, device: Device) -> None:
        """Know how a device is; one that has ended meanwhile stays so."""
        held = self.devices.get(device.id)
        if held is None or not held.is_signed_out:
            self.devices[device.id] = device

    def check(
        self, facts: RequestFacts, token: str, now: float
    ) -> tuple[Key | None, Flaw | None]:
        """Whose seat it is; a socket is its device's, whatever its token's expiry."""
        known = self._tokens.get(digest(token)) if is_access_token(token) else None
        of_socket = facts.device_id
        device = self.devices.get(of_socket or (known.device_id if known else 0))
        if device is None:
            return None, Flaw.UNKNOWN
        key = self._ring.get(device.key_id)
        if key is None or key.user_id is None or device.is_over(now):
            return key, Flaw.SIGNED_OUT
        if of_socket is None and known and now >= known.expires_at + LEEWAY_SECONDS:
            return key, Flaw.STALE
        if key.disabled or key.is_expired(now):
            return key, Flaw.SEAT
        facts.device_id = device.id
        if known is not None and not known.was_used:
            self._note_used(known, now)
        return key, None

    def is_unknown(self, facts: RequestFacts) -> bool:
        """Whether the token may be one that another process issued for a seat."""
        token = presented_token(facts.headers)
        if token is None or not is_access_token(token) or digest(token) in self._tokens:
            return False
        return any(key.prefix == public_part(token) for key in self._ring)

    async def learn(self, facts: RequestFacts, network: str) -> bool:
        """Look its token up, off the loop; whether its device is not known yet.

        One that is not there, or not found in time, remains unknown.
        """
        token = presented_token(facts.headers) or ""
        # What strangers make up keeps nobody waiting who shares their address.
        asker, hashed = f"{network} {public_part(token)}", digest(token)
        found = await self._lookups.find(asker, tokens.find_token, hashed)
        if found is None:
            return False
        self._tokens.setdefault(hashed, found)
        return found.device_id not in self.devices

    def note_socket(self, socket: DeviceSocket, device_id: int | None) -> None:
        """A socket that was opened with the token of a device."""
        if device_id is not None:
            self._sockets[socket] = device_id

    async def watch(self) -> None:
        """Close the sockets of devices whose tokens have run out; its owner cancels it.

        One that was ended at once is told so by its next turn.
        """
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.close_sockets(time.time())

    def close_sockets(self, now: float) -> None:
        for socket, device_id in list(self._sockets.items()):
            device = self.devices.get(device_id)
            if device is None or (
                device.is_over(now) and device.end_reason == EndReason.SIGNED_OUT
            ):
                del self._sockets[socket]
                socket.drain()

    def _note_used(self, token: KnownToken, now: float) -> None:
        """Its first use here: nobody waits for that to be written."""
        with suppress(StoreUnavailable):
            self._store.writer.submit(
                tokens.note_access_used, token.device_id, token.generation, now
            )
            token.was_used = True

    def _forget(self, now: float) -> None:
        """Those that are known no longer."""
        while self._tokens:
            oldest = next(iter(self._tokens))
            if self._tokens[oldest].expires_at + KNOWN_SECONDS > now:
                break
            del self._tokens[oldest]
