"""What a hostile key draws from upstream, by what its requests hold: table and client.

No answer of the table tells of a true state of an account: whatever becomes of the
request, nobody but its sender may notice.
"""

import asyncio
import itertools
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from gateway.demo import faults
from gateway.demo.answers import Close, ScriptedResponse
from gateway.demo.scenarios import default_answer, last_user_text
from gateway.protocol.lenient_json import load_object
from tests import upstream_faults
from tests.serving import CODEX, MODEL, TERMINAL, payload, user

OWN_MODEL = "gpt-5.4-mini"  # that nobody else asks for
SENTENCE = (
    f"The '{MODEL}' model is not supported when using Codex with a ChatGPT account."
)
HANG = 30.0  # seconds of upstream's; the gateway waits for less
PATIENCE = 25.0
LEAVING = 0.1  # of all attacks
_DRAWN = re.compile(r"draw:([\w ,]+)")
_BETA = "draw "  # and the handshake's answer by name


def _page(status):
    html = b"<html><title>Just a moment...</title></html>"
    return ScriptedResponse((html,), status, {"content-type": "text/html"})


def _too_fast(seconds, message="Request too large for this model"):
    headers = {} if seconds is None else {"retry-after": seconds}
    return faults.error_response(429, "rate_limit_exceeded", message, headers)


def _limit_of_own_model():
    headers = {
        "x-codex-active-limit": "codex_small",
        "x-codex-small-limit-name": OWN_MODEL,
        "x-codex-small-primary-used-percent": "100",
        "x-codex-small-primary-window-minutes": "300",
        "x-codex-small-primary-reset-at": "4000000000",
    }
    return faults.error_response(429, "usage_limit_reached", "no", headers)


def _model_not_found(**fields):
    return faults.error_response(404, "model_not_found", "No such model", **fields)


# What upstream answers to a turn, by the name that its prompt draws it with.
TURNS = {
    "role": ScriptedResponse.json({"detail": f"Unknown role: {SENTENCE}"}, 400),
    "role alone": ScriptedResponse.json({"detail": SENTENCE}, 400),
    "400": faults.error_response(400, "invalid_request_error", SENTENCE, param="input"),
    "401": faults.unauthorized(),
    "401, another code": faults.unauthorized("token_invalidated"),
    "402": ScriptedResponse.json({"detail": "Payment required"}, 402),
    "403": faults.error_response(403, "forbidden", "no"),
    "403, page": _page(403),
    "too large": _too_fast("50"),
    "too fast": _too_fast(None),
    "too fast, a second": _too_fast("1"),
    "too fast, years": _too_fast("999999999"),
    "too fast, in words": upstream_faults.rate_limited(1.5),
    "too fast, in an event": upstream_faults.failed_first("rate_limit_exceeded"),
    "529": faults.error_response(529, "overloaded_error", "no"),
    "quota": faults.error_response(429, "quota_exceeded", "no"),
    "limit, no reset": faults.error_response(429, "usage_limit_reached", "no"),
    "limit, own model": _limit_of_own_model(),
    "model, own": _model_not_found(),
    "model, param": _model_not_found(param="tools[0].model"),
    "500": faults.server_error(),
    "502, page": _page(502),
    "503": faults.unavailable(),
    "503, wait": faults.unavailable(30),
    "overloaded": faults.overloaded(),
    "failed": upstream_faults.failed_first(),
    "slow down": upstream_faults.failed_first("slow_down"),
    "reset": upstream_faults.reset_before_headers(),
    "reset late": upstream_faults.reset_after_headers(),
    "cut early": faults.cut_after(upstream_faults.without_terminal(), 2),
    "cut late": faults.cut_after(upstream_faults.without_terminal(), 5),
    "no end": upstream_faults.without_terminal(),
    "page": upstream_faults.wrong_content_type(),
    "hang": ScriptedResponse(before=(HANG,)),
    "hang late": ScriptedResponse((HANG,)),
    "anchor": faults.previous_response_not_found("resp_x"),
    "foreign": faults.foreign_content(),
    "close 1008": ScriptedResponse((Close(1008),)),
    "close 1009": ScriptedResponse((Close(1009),)),
    "close 1012": ScriptedResponse((Close(1012),)),
}
# And to a handshake, by the name in its `openai-beta`.
HANDSHAKES = {
    "426": faults.error_response(426, "upgrade_required", "Which protocol?"),
    "404": faults.error_response(404, "not_found", "no"),
    **{name: TURNS[name] for name in ("401", "402", "403", "403, page", "too large")},
    **{name: TURNS[name] for name in ("500", "503, wait", "reset", "hang")},
    "too large a head": _page(431),
}
ATTACKS = (
    *(("http", name) for name in TURNS),
    *(("websocket", name) for name in TURNS),
    *(("handshake", name) for name in HANDSHAKES),
)


def install(upstream):
    """Let the scripted upstream answer so; who draws nothing is served."""

    def answer(received):
        drawn = received.headers.get("openai-beta", "")
        if received.route == "handshake" and drawn.startswith(_BETA):
            return HANDSHAKES[drawn.removeprefix(_BETA)]
        found = _DRAWN.search(last_user_text(received.history))
        if found is None or received.route == "handshake":
            return None  # upstream's usual answer
        return TURNS[found[1]]

    def served(received):
        """Word by word, so that turns overlap."""
        drawn = answer(received)
        return drawn or faults.paced(default_answer(received), 0.01)

    upstream.answer(answer, route="handshake", times=None)
    upstream.answer(served, route="responses", times=None)


@dataclass(slots=True)
class Attackers:
    """Clients of one key that go through all attacks, over and over."""

    place: object  # see clients.Place
    rng: random.Random
    met: dict = field(
        default_factory=dict
    )  # how often what came of an attack, by its name
    _next: object = field(default_factory=lambda: itertools.cycle(ATTACKS))

    async def attack(self):
        """One after another until the end."""
        while time.monotonic() < self.place.end:
            way, name = next(self._next)
            leaves = self.rng.random() < LEAVING
            try:
                async with asyncio.timeout(1.0 if leaves else PATIENCE):
                    came = await self._send(way, name)
            except TimeoutError:
                came = "left" if leaves else "no end"
            except aiohttp.WSServerHandshakeError as error:
                came = f"handshake {error.status}"
            except (aiohttp.ClientError, ConnectionError) as error:
                came = type(error).__name__
            self.met.setdefault(f"{way} {name}", Counter())[str(came)] += 1

    async def _send(self, way, name):
        own = name in ("limit, own model", "model, own")
        role = {**user("x"), "role": SENTENCE}
        body = payload(f"draw:{name}", model=OWN_MODEL if own else MODEL)
        if name.startswith("role"):
            body["input"].insert(0, role)
        thread = f"thread-{self.rng.randrange(6)}"
        headers = {**self.place.headers, "session-id": thread, "thread-id": thread}
        if way == "http":
            return await self._post(body, headers)
        if way == "handshake":
            headers["openai-beta"] = _BETA + name
        return await self._frame(body, headers)

    async def _post(self, body, headers):
        url = self.place.url + CODEX
        async with self.place.session.post(url, json=body, headers=headers) as response:
            await response.read()
            return response.status

    async def _frame(self, body, headers):
        url = self.place.url + CODEX
        async with self.place.session.ws_connect(url, headers=headers) as ws:
            await ws.send_json({"type": "response.create", **body})
            async for message in ws:
                event = load_object(message.data)  # upstream may have sent a page
                if event.get("type") in TERMINAL:
                    return event.get("status") or event["type"]
            return f"closed with {ws.close_code}"
