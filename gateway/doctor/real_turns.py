"""Tiny turns against the real upstream, through the gateway: one a surface."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from gateway.doctor import client
from gateway.doctor.client import CODEX_PATH, Visit, describe_error
from gateway.doctor.findings import Finding, fail, ok, warn
from gateway.polling.client_version import NEWEST_KNOWN
from gateway.pricing.pricing import PriceTable
from gateway.protocol.facts import Usage
from gateway.protocol.outcome import OutcomeReader, read_usage
from gateway.protocol.sse import events

TURN_SECONDS = 180.0
_WORDS = "Answer with the word OK."
# Models whose names say that they cost little.
_CHEAP = ("nano", "mini", "luna")
_MOST_OUTPUT = 16  # tokens; the API's minimum. ChatGPT accounts are not told


@dataclass(slots=True)
class RealTurn:
    """What became of one turn; `trouble` says why it failed."""

    seconds: float = 0.0
    usage: Usage | None = None
    tier: str | None = None
    status: int = 200
    trouble: str = ""


@dataclass(slots=True)
class Spent:
    """What all turns cost together."""

    prices: PriceTable
    turns: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    microdollars: int = 0

    def add(self, model: str, account: str, turn: RealTurn) -> str:
        """Count a turn, and say what it cost."""
        self.turns += 1
        if turn.usage is None:
            return "upstream counted nothing"
        usage = turn.usage
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        told = f"{usage.input_tokens}+{usage.output_tokens} tokens"
        cost = self.prices.quote(model, turn.tier, account).cost(usage)
        if cost is None:
            self.unpriced += 1
            return f"{told}, unpriced"
        self.microdollars += cost
        return f"{told}, {_dollars(cost)}"

    def finding(self) -> Finding:
        tokens = f"{self.input_tokens}+{self.output_tokens} tokens"
        unpriced = f", {self.unpriced} of them unpriced" if self.unpriced else ""
        cost = _dollars(self.microdollars)
        return ok("cost", f"{self.turns} turns, {tokens}, {cost}{unpriced}")


def _dollars(microdollars: int) -> str:
    return f"${microdollars / 1_000_000:.6f}"


async def real_turns(
    visit: Visit, account: str, spent: Spent
) -> AsyncIterator[Finding]:
    """A turn on each surface, at the one account that the visit's key leads to."""
    model = await _cheapest(visit)
    if model is None:
        yield fail("real", f"{account}: it lists no models")
        return
    for name, ask in REAL_SURFACES.items():
        started, turn = time.monotonic(), RealTurn()
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await ask(visit, model, turn)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            turn.trouble = turn.trouble or describe_error(error)
        turn.seconds = time.monotonic() - started
        yield _judged(
            f"{account}, {name}", model, turn, spent.add(model, account, turn)
        )


def _judged(what: str, model: str, turn: RealTurn, cost: str) -> Finding:
    if turn.status == 426:
        return warn("real", f"{what}: none at this account; Codex goes on over HTTP")
    if turn.trouble:
        return fail("real", f"{what}: {turn.trouble}")
    return ok("real", f"{what}: {model} answered in {turn.seconds:.1f} s, {cost}")


async def _cheapest(visit: Visit) -> str | None:
    """The model that is likely to cost least, by its name."""
    path = f"{CODEX_PATH}/models?client_version={NEWEST_KNOWN}"
    answer = await client.request(visit, "GET", path)
    listed = answer.json.get("models") if isinstance(answer.json, dict) else None
    names = sorted(str(one["slug"]) for one in listed or ())
    cheap = [name for part in _CHEAP for name in names if part in name]
    return next(iter(cheap + names), None)


def _codex_payload(model: str) -> dict[str, Any]:
    part = {"type": "input_text", "text": _WORDS}
    item = {"type": "message", "role": "user", "content": [part]}
    fixed = {"instructions": "Be brief.", "store": False, "stream": True}
    return {"model": model, "input": [item], **fixed}


async def _over_http(visit: Visit, model: str, turn: RealTurn) -> None:
    await _streamed(visit, CODEX_PATH + "/responses", _codex_payload(model), turn)


async def _public(visit: Visit, model: str, turn: RealTurn) -> None:
    told = {"model": model, "input": _WORDS, "max_output_tokens": _MOST_OUTPUT}
    await _streamed(visit, "/v1/responses", {**told, "stream": True}, turn)


async def _streamed(
    visit: Visit, path: str, payload: dict[str, Any], turn: RealTurn
) -> None:
    body = await _posted(visit, path, payload, turn)
    reader = OutcomeReader()
    for event in events(body):
        reader.feed(event.type, event.data)
    _take(reader, turn)


async def _on_socket(visit: Visit, model: str, turn: RealTurn) -> None:
    url = "ws" + visit.url.removeprefix("http") + CODEX_PATH + "/responses"
    reader = OutcomeReader()
    try:
        async with visit.session.ws_connect(url, headers=visit.headers()) as socket:
            await socket.send_json({"type": "response.create", **_codex_payload(model)})
            while not reader.is_terminal:
                text = await socket.receive_str()
                event = orjson.loads(text)
                reader.feed(str(event.get("type", "")), text.encode())
    except aiohttp.WSServerHandshakeError as error:
        turn.status, turn.trouble = error.status, f"the upgrade got {error.status}"
        return
    except TypeError:  # a close in place of a message
        turn.trouble = "the socket was closed inside the turn"
        return
    _take(reader, turn)


async def _chat(visit: Visit, model: str, turn: RealTurn) -> None:
    messages = [{"role": "user", "content": _WORDS}]
    told = {"model": model, "messages": messages, "max_tokens": _MOST_OUTPUT}
    body = await _posted(visit, "/v1/chat/completions", told, turn)
    if not turn.trouble:
        told = orjson.loads(body)["usage"]
        told["output_tokens"] = told.get("completion_tokens")
        told["input_tokens_details"] = told.get("prompt_tokens_details")
        turn.usage = read_usage(told)


async def _posted(
    visit: Visit, path: str, payload: dict[str, Any], turn: RealTurn
) -> bytes:
    """The answer's body; what it says is in the turn when it is an error."""
    async with visit.session.post(
        visit.url + path,
        data=orjson.dumps(payload),
        headers=visit.headers(**{"content-type": "application/json"}),
        allow_redirects=False,
    ) as response:
        turn.status, body = response.status, await response.read()
    if turn.status != 200:
        turn.trouble = _said(turn.status, body)
    return body


def _said(status: int, body: bytes) -> str:
    try:
        told = orjson.loads(body)
        error = told.get("error", told)
        return f"status {status}, {error.get('code')}: {error.get('message')}"
    except (orjson.JSONDecodeError, AttributeError):
        return f"status {status}"


def _take(reader: OutcomeReader, turn: RealTurn) -> None:
    turn.usage, turn.tier = reader.usage, reader.service_tier
    if turn.trouble or reader.status in ("completed", "incomplete"):
        return
    failure = reader.failure
    turn.trouble = "the answer has no end" if failure is None else failure.message


REAL_SURFACES: dict[str, Callable[[Visit, str, RealTurn], Any]] = {
    "Codex over HTTP": _over_http,
    "Codex on a WebSocket": _on_socket,
    "/v1": _public,
    "chat": _chat,
}
