"""The checks a client can make, each with the line of nginx or settings to change."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from gateway.admission.client_address import is_loopback
from gateway.doctor import client as client
from gateway.doctor.client import CODEX_PATH, Visit
from gateway.doctor.findings import Finding, fail, ok, warn
from gateway.doctor.sign_on_check import sign_on
from gateway.polling.client_version import NEWEST_KNOWN
from gateway.protocol.numbers import unix_time
from gateway.settings import COMMAND

LARGEST_SKEW = 5.0  # seconds
CERTIFICATE_DAYS = 14.0
_SHORT_FOR_STREAM = 0.5  # of the time that ten paced events take

MAKE_KEY = f"{COMMAND} keys create NAME"
UPGRADE_LINES = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "upgrade";'
)


async def check_connection(visit: Visit, *, is_quick: bool) -> AsyncIterator[Finding]:
    """All checks, each finding as it comes; the long silence runs beside the rest."""
    reached = await reachable(visit)
    for finding in reached:
        yield finding
    if any(finding.level == "fail" for finding in reached):
        return
    silence = asyncio.create_task(silent(visit)) if not is_quick else None
    try:
        checks: tuple[Callable[[Visit], Awaitable[list[Finding]]], ...] = (
            warned,
            key_needed,
            sign_on,
            name_trap,
            key_taken,
            models,
            upgraded,
            streamed,
            large_body,
        )
        for check in checks:
            found = await check(visit)
            for finding in found:
                yield finding
            if any(one.check == "key" and one.fix == MAKE_KEY for one in found):
                return  # refused for want of a key, as all that follows would be
        if silence is not None:
            for finding in await silence:
                yield finding
    finally:
        if silence is not None:
            silence.cancel()


async def reachable(visit: Visit) -> list[Finding]:
    answer = await client.request(visit, "GET", "/health", headers={})
    if answer.status != 200 or answer.json != {"status": "ok"}:
        told = answer.told if answer.status != 200 else "another program's answer"
        return [
            fail(
                "reachable",
                f"{visit.url}/health: {told}",
                "location / { proxy_pass http://127.0.0.1:2455; }"
                if answer.status
                else COMMAND,
            )
        ]
    found = [ok("reachable", f"{visit.url} answers in {answer.seconds * 1000:.0f} ms")]
    found.append(await _tls(visit))
    found.append(_clock(answer.headers.get("date", "")))
    return found


async def warned(visit: Visit) -> list[Finding]:
    """What the gateway says of itself, ready or not."""
    answer = await client.request(visit, "GET", "/health/ready", headers={})
    told = answer.json.get("warnings") if isinstance(answer.json, dict) else None
    found = told.items() if isinstance(told, dict) else ()
    return [warn(f"gateway's {name}", str(text)) for name, text in found]


async def _tls(visit: Visit) -> Finding:
    if not visit.is_tls:
        if visit.is_local:
            return ok("tls", "not needed on this machine's own address")
        return fail(
            "tls",
            "API keys and prompts travel in the clear",
            "listen 443 ssl; ssl_certificate FILE; ssl_certificate_key FILE;",
        )
    left = await _certificate_days(visit)
    if left is not None and left < CERTIFICATE_DAYS:
        return warn("tls", f"the certificate ends in {left:.0f} days", "certbot renew")
    return ok("tls", "the certificate is valid")


async def _certificate_days(visit: Visit) -> float | None:
    async with visit.session.get(visit.url + "/health") as response:
        connection = response.connection
        transport = connection.transport if connection is not None else None
        found = transport.get_extra_info("peercert") if transport is not None else None
    if not found or "notAfter" not in found:
        return None
    return (ssl.cert_time_to_seconds(found["notAfter"]) - time.time()) / 86400


def _clock(date: str) -> Finding:
    at = unix_time(date)
    if at is None:
        return warn("clock", "the answer has no date")
    skew = at - time.time()
    if abs(skew) > LARGEST_SKEW:
        return warn(
            "clock",
            f"the gateway's clock and this one differ by {abs(skew):.0f} s: "
            "reset times will be wrong",
            "timedatectl set-ntp true",
        )
    return ok("clock", "the gateway's clock and this one agree")


async def key_needed(visit: Visit) -> list[Finding]:
    """Whether the port serves whoever reaches it."""
    marked = {"x-gateway-visit": visit.key or ""}  # nobody's key; it leaves no row
    answer = await client.request(visit, "GET", "/v1/models", headers=marked)
    if answer.status == 401:
        return [ok("open", "nobody is served without an API key")]
    if answer.status == 200 and visit.is_local:
        return [ok("open", "no key was made yet: only this machine is served")]
    if answer.status == 200:
        return [fail("open", "the gateway serves anybody, without a key", MAKE_KEY)]
    return [warn("open", f"GET /v1/models without a key: {answer.told}")]


async def key_taken(visit: Visit) -> list[Finding]:
    """Whether this key works here; how the request looks when it arrives."""
    answer = await client.stream(visit)
    if answer.status == 401:
        text = "the key is refused" if visit.key else "a key is needed: give --key"
        return [fail("key", text, MAKE_KEY)]
    if answer.status != 200 or not answer.seen:
        return [fail("key", f"POST {CODEX_PATH}/doctor: {answer.told}")]
    return [ok("key", "requests come in"), *_arrival(visit, answer.seen)]


def _arrival(visit: Visit, seen: dict[str, object]) -> list[Finding]:
    found = []
    if not seen["has_underscores"]:
        text = "header names with an underscore are dropped (session_id, thread_id)"
        found.append(warn("headers", text, "underscores_in_headers on;"))
    peer = str(seen["peer"])
    is_proxied = bool(seen["forwarded_for"] or seen["forwarded_proto"])
    if not visit.is_local and not is_proxied and is_loopback(peer):
        found.append(
            fail(
                "proxy",
                "the proxy does not say for whom it asks: everybody looks local",
                "proxy_set_header X-Forwarded-For $remote_addr;",
            )
        )
    if is_proxied and not seen["is_peer_trusted"]:
        text = f"the proxy at {peer} is not trusted: the log shows its address only"
        found.append(warn("proxy", text, f"GATEWAY_TRUSTED_PROXIES={peer}"))
    elif visit.is_tls and not seen["is_https"]:
        text = "the gateway does not learn that clients come over TLS"
        line = "proxy_set_header X-Forwarded-Proto $scheme;"
        found.append(warn("proxy", text, line))
    return found or [ok("headers", "all headers arrive")]


async def models(visit: Visit) -> list[Finding]:
    path = f"{CODEX_PATH}/models?client_version={NEWEST_KNOWN}"
    answer = await client.request(visit, "GET", path)
    listed = answer.json.get("models") if isinstance(answer.json, dict) else None
    if answer.status != 200 or not isinstance(listed, list):
        text = f"GET {path}: {answer.told}, not the shape Codex reads"
        return [fail("models", text, "location /backend-api/ { proxy_pass …; }")]
    if not listed:
        text = "no account lists its models yet; Codex uses its own list"
        return [warn("models", text, f"{COMMAND} accounts list")]
    return [ok("models", f"{len(listed)} models")]


async def upgraded(visit: Visit) -> list[Finding]:
    status, frame, trouble = await client.upgrade(visit)
    if status == 101 and frame.get("status") == 400:
        return [ok("websocket", "the upgrade passes, frames go both ways")]
    if status == 426:
        return [
            warn(
                "websocket",
                "the gateway has WebSockets off, or no account that speaks them; "
                "Codex goes on over HTTP",
                "GATEWAY_WEBSOCKETS=on",
            )
        ]
    if status == 101:
        return [fail("websocket", "no frame comes back", UPGRADE_LINES)]
    told = trouble or f"status {status}"
    return [fail("websocket", f"the upgrade does not pass: {told}", UPGRADE_LINES)]


async def streamed(visit: Visit) -> list[Finding]:
    """Ten paced events: whether each arrives when it was sent."""
    marked, plain = await asyncio.gather(
        client.stream(visit, events=client.EVENTS),
        client.stream(visit, events=client.EVENTS, plain=True),
    )
    line = "proxy_buffering off;"
    for answer in (marked, plain):
        if answer.status != 200 or len(answer.arrivals) != client.EVENTS + 1:
            text = f"{len(answer.arrivals)} of {client.EVENTS + 1} events: "
            return [fail("buffering", text + answer.told, line)]
    if _is_held(marked):
        text = "events are held back and arrive together"
        return [fail("buffering", text, f"{line} gzip off;")]
    if _is_held(plain):
        text = "the proxy holds back what does not forbid it; the gateway's answers do"
        return [warn("buffering", text, line)]
    return [ok("buffering", f"{client.EVENTS} paced events arrive one by one")]


def _is_held(answer: client.Stream) -> bool:
    took = answer.arrivals[-1] - answer.arrivals[0]
    return took < _SHORT_FOR_STREAM * client.EVENTS * client.EVENT_PAUSE


async def silent(visit: Visit) -> list[Finding]:
    """A model that thinks before its first event."""
    answer = await client.stream(visit, silence=client.SILENCE)
    if answer.status == 200 and answer.seen:
        text = f"{client.SILENCE:.0f} s without a byte pass"
        return [ok("idle", text)]
    text = f"cut after {answer.seconds:.0f} s of silence: {answer.told}"
    return [fail("idle", text, "proxy_read_timeout 1h; proxy_send_timeout 1h;")]


async def large_body(visit: Visit) -> list[Finding]:
    answer = await client.send_large_body(visit)
    if answer.status == 400 and answer.error.get("param") == "model":
        return [ok("body", "a compressed body of 8 MiB arrives whole")]
    if answer.status == 413 and answer.error:
        text = "the gateway itself refuses a body of 8 MiB"
        return [fail("body", text, "GATEWAY_MAX_BODY_BYTES=134217728")]
    text = f"a compressed body of 8 MiB does not arrive: {answer.told}"
    return [fail("body", text, "client_max_body_size 256m;")]


async def name_trap(visit: Visit) -> list[Finding]:
    """A provider named exactly OpenAI makes Codex ask where its workspace lives."""
    answer = await client.request(
        visit, "GET", "/backend-api/wham/accounts/check", headers={}
    )
    listed = answer.json.get("accounts") if isinstance(answer.json, dict) else None
    if answer.status != 200 or not isinstance(listed, list) or not listed:
        text = f"GET /backend-api/wham/accounts/check: {answer.told}"
        return [warn("provider name", text, "location / { proxy_pass …; }")]
    origin = listed[0].get("workspace_backend_origin")
    if origin == "NO_CONSTRAINT" or not visit.is_tls:
        text = (
            'a provider named "OpenAI" with a ChatGPT login bypasses or misses the '
            f"gateway at {CODEX_PATH}; any other name is safe"
        )
        if origin == "NO_CONSTRAINT":
            text = "any provider name works, with chatgpt_base_url set as well"
        return [ok("provider name", text)]
    text = 'a provider named "OpenAI" with a ChatGPT login would bypass the gateway'
    return [warn("provider name", text, f"GATEWAY_PUBLIC_URL={visit.url}")]
