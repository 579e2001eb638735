"""A login of the gateway's own, confirmed by its owner in any browser."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from gateway.accounts.account import Credentials
from gateway.protocol.local_failures import login_failed
from gateway.protocol.numbers import seconds, unix_time
from gateway.upstream import UpstreamFault
from gateway.upstream.api import ApiResponse, fetch, post_json
from gateway.upstream.logins.auth_json import Login, login_of
from gateway.upstream.logins.refresh_answer import rotated_credentials
from gateway.upstream.tokens import CLIENT_ID

DEFAULT_INTERVAL = 5.0
DEFAULT_LIFETIME = 900.0
LONGEST_LIFETIME = 3_600.0
# "Not yet", in the words of the device endpoint.
_PENDING = (403, 404)


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What to show: open `verification_url`, type `user_code`."""

    user_code: str
    verification_url: str
    interval: float  # seconds between two questions
    expires_at: float  # unix seconds
    device_auth_id: str = field(repr=False)


class DeviceLogin:
    """`start` gives the code to show, `finish` waits for its confirmation."""

    def __init__(self, session: aiohttp.ClientSession, auth_base_url: str) -> None:
        self._session = session
        self._base = auth_base_url.rstrip("/")

    async def start(self) -> DeviceCode:
        """Raises UpstreamFault when no code is given out."""
        answer = await self._post(
            "/api/accounts/deviceauth/usercode", {"client_id": CLIENT_ID}
        )
        told = answer.json()
        device, user = told.get("device_auth_id"), told.get("user_code")
        if answer.status != 200 or not device or not user:
            raise _fault("device_login_refused", "No code was given out", answer)
        return DeviceCode(
            user_code=str(user),
            verification_url=f"{self._base}/codex/device",
            interval=seconds(told.get("interval"), 60.0) or DEFAULT_INTERVAL,
            expires_at=_end(told, time.time()),
            device_auth_id=str(device),
        )

    async def finish(self, code: DeviceCode) -> Login:
        """Poll until the owner has confirmed. Raises UpstreamFault when not in time."""
        asked = {"device_auth_id": code.device_auth_id, "user_code": code.user_code}
        while time.time() < code.expires_at:
            answer = await self._post("/api/accounts/deviceauth/token", asked)
            if answer.status == 200:
                return await self._exchange(answer)
            if answer.status not in _PENDING:
                raise _fault("device_login_refused", "It was refused", answer)
            await asyncio.sleep(code.interval)
        raise UpstreamFault(
            login_failed("The code was not confirmed in time", "device_login_expired")
        )

    async def _exchange(self, granted: ApiResponse) -> Login:
        told = granted.json()
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": str(told.get("authorization_code") or ""),
            "code_verifier": str(told.get("code_verifier") or ""),
            "redirect_uri": f"{self._base}/deviceauth/callback",
        }
        answer = await fetch(
            self._session,
            "POST",
            f"{self._base}/oauth/token",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )
        try:
            return login_of(
                rotated_credentials(answer, Credentials()), refreshed_at=time.time()
            )
        except ValueError as error:
            raise _fault("device_login_refused", "No tokens were given", answer) from (
                error
            )

    async def _post(self, path: str, body: Mapping[str, str]) -> ApiResponse:
        return await post_json(self._session, self._base + path, body)


def _end(told: Mapping[str, Any], now: float) -> float:
    """Unix seconds; `expires_at` may be a number or an ISO date."""
    lifetime = seconds(told.get("expires_in"), LONGEST_LIFETIME)
    if lifetime:
        return now + lifetime
    at = unix_time(told.get("expires_at"))
    return now + DEFAULT_LIFETIME if at is None else min(at, now + LONGEST_LIFETIME)


def _fault(code: str, message: str, answer: ApiResponse) -> UpstreamFault:
    return UpstreamFault(login_failed(f"{message} (status {answer.status})", code))
