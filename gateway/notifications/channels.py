"""Channels over HTTP: a signed webhook, and ntfy."""

import asyncio
import base64
import hmac
import json
import os
import time
from collections.abc import Mapping
from typing import Protocol

import aiohttp
from yarl import URL

from gateway.notifications.notice import ChannelFailed, Notice
from gateway.secret import Secret
from gateway.upstream.egress import EgressProxyFailed

SEND_SECONDS = 15.0
_USER_AGENT = "codex-gateway"
SECRET_PREFIX = "whsec_"
_NTFY_USUAL, _NTFY_URGENT = 3, 4


class Channel(Protocol):
    """One way to tell somebody something."""

    name: str

    async def send(self, notice: Notice) -> str:
        """What the other side answered. Raises ChannelFailed; has no deadline."""
        ...


async def send_in_time(
    channel: Channel, notice: Notice, seconds: float = SEND_SECONDS
) -> str:
    """What the channel answers. Raises ChannelFailed, at its deadline at last."""
    try:
        async with asyncio.timeout(seconds):
            return await channel.send(notice)
    except TimeoutError as error:
        raise ChannelFailed("no answer in time") from error


class Webhook:
    """POSTs JSON with a signature, as Standard Webhooks 1.0 has it."""

    name = "webhook"

    def __init__(
        self, session: aiohttp.ClientSession, url: Secret, secret: Secret
    ) -> None:
        self._session = session
        self._url = url
        self._secret = secret

    async def send(self, notice: Notice) -> str:
        body, at = notice.as_json(), str(int(time.time()))
        signed = b".".join((notice.message_id.encode(), at.encode(), body))
        headers = {
            "webhook-id": notice.message_id,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{signature(self._secret, signed)}",
        }
        return await _post(self._session, self._url, body, headers)


class Ntfy:
    """Publishes JSON to an ntfy server; the URL's last part is the topic."""

    name = "ntfy"

    def __init__(
        self, session: aiohttp.ClientSession, url: Secret, token: Secret | None
    ) -> None:
        topic = URL(url.reveal())
        self._session = session
        self._url = Secret(str(topic.parent))
        self._topic = Secret(topic.name)
        self._token = token

    async def send(self, notice: Notice) -> str:
        message = {
            "topic": self._topic.reveal(),
            "title": notice.title,
            "message": notice.text,
            "priority": _NTFY_URGENT if notice.is_urgent else _NTFY_USUAL,
        }
        token = self._token
        headers = {"authorization": f"Bearer {token.reveal()}"} if token else {}
        body = json.dumps(message, ensure_ascii=False).encode()
        return await _post(self._session, self._url, body, headers)


def signature(secret: Secret, signed: bytes) -> str:
    """HMAC-SHA256 in base64; the secret is `whsec_` and base64 of the key."""
    key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


async def _post(
    session: aiohttp.ClientSession,
    url: Secret,
    body: bytes,
    headers: Mapping[str, str],
) -> str:
    """POST JSON; what is answered but its status nobody reads."""
    usual = {"content-type": "application/json", "user-agent": _USER_AGENT}
    try:
        async with session.post(
            url.reveal(),
            data=body,
            headers={**usual, **headers},
            allow_redirects=False,
        ) as response:
            status = response.status
    except EgressProxyFailed as error:
        raise ChannelFailed(str(error)) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ChannelFailed(_reason(error)) from error
    if not 200 <= status < 300:
        raise ChannelFailed(f"status {status}")
    return f"status {status}"


def _reason(error: Exception) -> str:
    """Why there was no answer; never the URL, whose path is often the secret.

    Strangers may read it at /health/ready: it has no address either.
    """
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not found"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))):
            return f"no connection ({os.strerror(number)})"
        case _:
            return f"no answer ({type(error).__name__})"
