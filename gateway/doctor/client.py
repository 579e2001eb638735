"""The doctor as a client: how the gateway looks through its public address."""

import asyncio
import base64
import io
import os
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import zstandard

from gateway.admission.client_address import is_loopback

CODEX_PATH = "/backend-api/codex"
BODY_BYTES = 8 * 1024 * 1024  # on the wire
EVENTS = 10
EVENT_PAUSE = 0.2
SILENCE = 70.0
# Beyond what is waited for anyway.
PROBE_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Where the doctor goes, and as whom."""

    session: aiohttp.ClientSession
    url: str  # without a slash at its end
    key: str | None
    user_header: str = ""  # that a sign-on proxy names users in; "": none is trusted

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def is_local(self) -> bool:
        return is_loopback(self.host)

    @property
    def is_tls(self) -> bool:
        return self.url.startswith("https:")

    def headers(self, **more: str) -> dict[str, str]:
        own = {} if self.key is None else {"authorization": f"Bearer {self.key}"}
        return {"user-agent": "codex-gateway-doctor", **own, **more}


@dataclass(slots=True)
class ProbeResponse:
    """What came back; `status` 0 when nothing did, and `trouble` says why."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: str = ""
    seconds: float = 0.0

    @property
    def json(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def error(self) -> dict[str, Any]:
        """The gateway's own error object; {} when the answer is another's."""
        error = self.json.get("error") if isinstance(self.json, dict) else None
        return error if isinstance(error, dict) and "origin" in error else {}

    @property
    def told(self) -> str:
        return self.trouble or f"status {self.status}"


@dataclass(slots=True)
class Stream(ProbeResponse):
    """A stream of the doctor's route; `arrivals` in seconds since its request."""

    arrivals: list[float] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)


async def request(
    visit: Visit,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> ProbeResponse:
    """One request with the key, unless `headers` are given."""
    answer, started = ProbeResponse(), time.monotonic()
    try:
        async with (
            asyncio.timeout(PROBE_TIMEOUT + 45),
            visit.session.request(
                method,
                visit.url + path,
                data=None if body is None else io.BytesIO(body),
                headers=visit.headers() if headers is None else headers,
                allow_redirects=False,
                # Who refuses a body says so before it is sent, not by a reset.
                expect100=body is not None,
            ) as response,
        ):
            answer.status = response.status
            answer.headers = {n.lower(): v for n, v in response.headers.items()}
            answer.body = await response.content.read(8 * 1024 * 1024)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        answer.trouble = describe_error(error)
    answer.seconds = time.monotonic() - started
    return answer


async def stream(
    visit: Visit, *, silence: float = 0, events: int = 0, plain: bool = False
) -> Stream:
    """Have the gateway send events, and note when each arrives."""
    answer, started = Stream(), time.monotonic()
    query = f"silence={silence:g}&events={events}&pause={EVENT_PAUSE}"
    url = f"{visit.url}{CODEX_PATH}/doctor?{query}{'&plain=1' if plain else ''}"
    # The underscore spelling, which proxies like to drop.
    headers = visit.headers(accept="text/event-stream", session_id="doctor")
    try:
        async with (
            asyncio.timeout(silence + events * EVENT_PAUSE + PROBE_TIMEOUT),
            visit.session.post(url, headers=headers, allow_redirects=False) as response,
        ):
            answer.status = response.status
            async for line in response.content:
                if line.startswith(b"data:"):
                    answer.arrivals.append(time.monotonic() - started)
                    if not answer.seen:
                        answer.seen = _object(line[5:])
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        answer.trouble = describe_error(error)
    answer.seconds = time.monotonic() - started
    return answer


async def upgrade(visit: Visit) -> tuple[int, dict[str, Any], str]:
    """The handshake's status, what a frame that is no request is answered, trouble."""
    url = "ws" + visit.url.removeprefix("http") + CODEX_PATH + "/responses"
    try:
        async with (
            asyncio.timeout(PROBE_TIMEOUT),
            visit.session.ws_connect(url, headers=visit.headers()) as socket,
        ):
            await socket.send_str('{"type":"response.create"}')
            return 101, _object((await socket.receive_str()).encode()), ""
    except aiohttp.WSServerHandshakeError as error:
        return error.status, {}, ""
    except (aiohttp.ClientError, OSError, TimeoutError, TypeError) as error:
        return 0, {}, describe_error(error)


async def send_large_body(visit: Visit) -> ProbeResponse:
    """A body of 8 MiB that does not get smaller, and is refused after its last byte.

    The gateway reads, decodes and checks all of it; nothing reaches upstream.
    """
    body = await asyncio.get_running_loop().run_in_executor(None, incompressible_body)
    headers = visit.headers(**{"content-encoding": "zstd"})
    headers["content-type"] = "application/json"
    return await request(
        visit, "POST", CODEX_PATH + "/responses", headers=headers, body=body
    )


def incompressible_body() -> bytes:
    text = base64.b64encode(os.urandom(BODY_BYTES)).decode()
    # No model: the one field whose absence no surface forgives.
    return zstandard.compress(orjson.dumps({"instructions": "", "input": text}), 1)


def describe_error(error: BaseException) -> str:
    """For people; certificates are the usual case."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate is not valid: {error.certificate_error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    return f"{type(error).__name__}: {error}"


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
