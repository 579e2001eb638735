"""The token a request presents, and who answers for those of devices."""

from collections.abc import Mapping
from typing import Protocol

from gateway.admission.client_address import RequestFacts
from gateway.errors import InvalidApiKey
from gateway.keys.key import Flaw, Key, KeyRing

# An access token's, which belongs to a device that signed in to a seat.
DEVICE_TOKEN_START = "cgat-"
_SIGN_IN_AGAIN = (
    "quit Codex, delete secrets/gateway_oauth.json in its home directory (~/.codex), "
    "and start Codex again to sign in (with `codexgate token`: run that with --sign-in)"
)
# Told to who presents a token that was good once, and to nobody else. Codex refreshes
# by its clock alone, and presents such a token until it has run out.
_ADVICE = {
    Flaw.SIGNED_OUT: f"This device was signed out of the gateway: {_SIGN_IN_AGAIN}",
    Flaw.STALE: "This access token has expired. If this machine's clock is right, "
    f"{_SIGN_IN_AGAIN}",
    Flaw.SEAT: "Your seat at this gateway is disabled or has expired: ask its owner",
}


class DeviceTokens(Protocol):
    """Whose access token it is."""

    def check(
        self, facts: RequestFacts, token: str, now: float
    ) -> tuple[Key | None, Flaw | None]:
        """The seat, and why it opens nothing nevertheless; `facts` get the device."""


class PresentedTokens:
    """Checks keys' tokens and those of devices."""

    def __init__(self, ring: KeyRing, devices: DeviceTokens | None) -> None:
        self._ring = ring
        self._devices = devices

    def check(
        self, facts: RequestFacts, token: str, now: float
    ) -> tuple[Key | None, Flaw | None]:
        """As `DeviceTokens` does."""
        if self._devices is not None and token.startswith(DEVICE_TOKEN_START):
            return self._devices.check(facts, token, now)
        return self._ring.check(token, now)


def presented_token(headers: Mapping[str, str]) -> str | None:
    """The token presented as a key; `x-api-key` wins over a bearer token.

    A client with a ChatGPT login sends its own Authorization in any case.
    """
    token = headers.get("x-api-key", "").strip()
    if token:
        return token
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def advice(flaw: Flaw | None) -> InvalidApiKey | None:
    """What to tell who presents a token that was good once."""
    words = None if flaw is None else _ADVICE.get(flaw)
    return None if words is None else InvalidApiKey(words)
