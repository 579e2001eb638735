"""One small real request at an account, in whatever state it is."""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease
from gateway.admin.errors import Unacceptable
from gateway.app import Gateway
from gateway.protocol.facts import Window
from gateway.protocol.lenient_json import text
from gateway.protocol.limit_windows import named_limit, windows
from gateway.protocol.local_failures import stream_incomplete, stream_silent
from gateway.protocol.outcome import OutcomeReader
from gateway.protocol.sse import EventScanner, EventTooLarge
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.account_api import USER_AGENT
from gateway.upstream.endpoints import Endpoint, account_headers, url_of
from gateway.upstream.http import UpstreamHttp, UpstreamResponse

# Models whose names say that they cost little.
_CHEAP = ("nano", "mini", "luna")
_MAX_OUTPUT_TOKENS = 16
_UNROUTED = "NO_CONSTRAINT"


@dataclass(slots=True)
class Probed:
    """What became of it; times in ms."""

    account: str
    model: str | None
    ok: bool = False
    status: int | None = None
    code: str | None = None
    error: str | None = None
    first_event_ms: int | None = None
    duration_ms: int = 0
    residency_hint: str | None = None  # what upstream routes its workspace by
    state: str = ""  # after it, and what still holds
    why: str = ""
    until: float | None = None


async def probe(gateway: Gateway, account: Account, model: str | None) -> Probed:
    """The pool learns from the outcome as from any other request's.

    Raises Unacceptable when no model is given and none is known.
    """
    if account.catalogue is None:
        await gateway.catalogues.refresh(account)
    found = Probed(account.name, model or cheapest(account))
    if found.model is None:
        raise Unacceptable("The account lists no models: say which one", param="model")
    demand = Demand(model=found.model, pinned=account.id, probe=True)
    lease = await gateway.pool.lease(demand)
    started = time.monotonic()
    try:
        told = await _send(gateway, lease, found, started)
        gateway.pool.observer.probed(
            lease, told.windows, counts_apart=told.counts_apart
        )
        found.ok, found.status = True, 200
    except UpstreamFault as fault:
        failure = fault.failure
        gateway.pool.observer.failure(lease, failure)
        found.status, found.code = failure.status, failure.code
        found.error = failure.message
    finally:
        lease.release()
    found.duration_ms = round((time.monotonic() - started) * 1000)
    if account.is_chatgpt:
        found.residency_hint = await _residency_hint(gateway, account)
    now, health = time.time(), account.health
    found.state, found.why = health.status(now).value, health.why(now)
    found.until = health.until(now)
    return found


def cheapest(account: Account) -> str | None:
    """A model of the catalogue that is likely to cost little."""
    names = sorted(account.catalogue.models) if account.catalogue else []
    cheap = [name for part in _CHEAP for name in names if part in name]
    return next(iter(cheap + names), None)


async def _residency_hint(gateway: Gateway, account: Account) -> str | None:
    """Shown and never followed: where data is to stay is for its owner to say."""
    try:
        answer = await gateway.calls.get(
            account, f"{gateway.settings.upstream_base_url}/wham/accounts/check"
        )
    except (UpstreamFault, StoreUnavailable):
        return None
    told = answer.json().get("accounts")
    for workspace in told if isinstance(told, list) else ():
        told_id = workspace.get("id") if isinstance(workspace, dict) else None
        if told_id is not None and told_id == account.chatgpt_account_id:
            routing = text(workspace.get("account_routing_override"))
            return None if routing == _UNROUTED else routing
    return None


class _Told(NamedTuple):
    """What a good answer told of the limits that its model counts in."""

    windows: tuple[Window, ...]
    counts_apart: bool  # in a limit of some models only


async def _send(gateway: Gateway, lease: Lease, found: Probed, started: float) -> _Told:
    """Raises UpstreamFault unless the answer comes to its good end."""
    account, settings = lease.account, gateway.settings
    url = url_of(Endpoint.RESPONSES, account, settings.upstream_base_url)
    body = orjson.dumps(payload(found.model, is_chatgpt=account.is_chatgpt))
    async with UpstreamHttp(settings) as http:
        for is_last in (False, True):
            await gateway.tokens.ensure_fresh(account)
            used = account.credentials.access_token
            headers = {
                **account_headers(account),
                "accept": "text/event-stream",
                "accept-encoding": "identity",
                "content-type": "application/json",
                "user-agent": USER_AGENT,
            }
            try:
                response = await http.send(url, headers, body)
                with closing(response):
                    reader = await _read(
                        response, settings.idle_timeout, found, started
                    )
                return _told(response, reader)
            except UpstreamFault as fault:
                is_old = fault.failure.status == 401 and not is_last
                if not is_old or not await gateway.tokens.refresh_after_401(
                    account, used
                ):
                    raise
    raise AssertionError("the last attempt returns or raises")


def _told(response: UpstreamResponse, reader: OutcomeReader) -> _Told:
    is_named = reader.windows and all(one.limit for one in reader.windows)
    return _Told(
        (*windows(response.headers, time.time()), *reader.windows),
        bool(is_named or named_limit(response.headers)),
    )


async def _read(
    response: UpstreamResponse, idle_timeout: float, found: Probed, started: float
) -> OutcomeReader:
    scanner, reader = EventScanner(), OutcomeReader()
    while chunk := await _next(response, idle_timeout):
        if found.first_event_ms is None:
            found.first_event_ms = round((time.monotonic() - started) * 1000)
        try:
            for event in scanner.feed(chunk):
                reader.feed(event.type, event.data)
        except EventTooLarge as error:
            raise UpstreamFault(stream_incomplete("An event is too large")) from error
    if reader.failure is not None:
        raise UpstreamFault(reader.failure)
    # An answer cut short by `max_output_tokens` is a good one here.
    if reader.status not in ("completed", "incomplete"):
        raise UpstreamFault(
            stream_incomplete("The stream ended before the response did")
        )
    return reader


async def _next(response: UpstreamResponse, idle_timeout: float) -> bytes:
    try:
        async with asyncio.timeout(idle_timeout):
            return await response.read("stream")
    except TimeoutError as error:
        raise UpstreamFault(stream_silent()) from error


def payload(model: str | None, *, is_chatgpt: bool) -> dict[str, Any]:
    part = {"type": "input_text", "text": "Answer with the word OK."}
    told: dict[str, Any] = {
        "model": model,
        "instructions": "Answer as shortly as possible.",
        "input": [{"type": "message", "role": "user", "content": [part]}],
        "store": False,
        "stream": True,
    }
    if not is_chatgpt:
        told["max_output_tokens"] = _MAX_OUTPUT_TOKENS
    return told
