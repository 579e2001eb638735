"""POST /backend-api/codex/doctor: a stream that shows what stands in between.

It takes the way of the clients' requests, key and all, and costs nothing upstream:
silence, then events at a pace, with what arrived of the request's headers.
"""

import asyncio
import json
import math
from ipaddress import ip_address
from typing import ClassVar

from gateway.admission.client_address import client_address, is_https
from gateway.errors import GatewayOverloaded, InvalidPayload
from handlers.api.stream import StreamHandler
from handlers.wire.request_head import peer_address

# A gateway in use has better things to do than hold many of these.
MOST_AT_A_TIME = 8
LONGEST_SILENCE = 120.0
LONGEST_PAUSE = 2.0
MOST_EVENTS = 50


class DoctorHandler(StreamHandler):
    max_body_bytes = 1024
    _streams: ClassVar = asyncio.Semaphore(MOST_AT_A_TIME)

    async def post(self) -> None:
        """`silence` seconds without a byte, then `events`, `pause` seconds apart."""
        silence = self._number("silence", LONGEST_SILENCE)
        pause = self._number("pause", LONGEST_PAUSE)
        events = int(self._number("events", MOST_EVENTS))
        if self._streams.locked():
            raise GatewayOverloaded("Too many doctors are at work")
        async with self._streams:
            await asyncio.sleep(silence)
            self.set_header("content-type", "text/event-stream")
            self.set_header("cache-control", "no-cache")
            if not self.get_query_argument("plain", ""):
                self.set_header("x-accel-buffering", "no")
            await self._send(self._seen())
            for number in range(events):
                await asyncio.sleep(pause)
                await self._send({"number": number})

    async def _send(self, told: dict[str, object]) -> None:
        self.write(f"event: codex.doctor\ndata: {json.dumps(told)}\n\n")
        await self.flush()

    def _seen(self) -> dict[str, object]:
        """How the request arrived, for who sent it."""
        facts, settings = self.facts, self.gateway.settings
        peer = peer_address(self.request)
        return {
            "peer": peer,
            "client_address": client_address(facts, settings),
            "is_peer_trusted": self._is_trusted(peer),
            "is_https": is_https(facts, settings),
            "host": facts.host,
            "has_underscores": "session_id" in facts.headers,
            "forwarded_for": "x-forwarded-for" in facts.headers,
            "forwarded_proto": facts.headers.get("x-forwarded-proto"),
            "public_url": settings.public_url,
            "keys_in_use": self.gateway.ring.ever_made,
        }

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return True  # a Unix socket
        networks = self.gateway.settings.trusted_proxies
        return any(address in network for network in networks)

    def _number(self, name: str, largest: float) -> float:
        text = self.get_query_argument(name, "0")
        try:
            number = float(text)
        except ValueError as error:
            reason = f"{name} must be a number"
            raise InvalidPayload.because(reason, param=name) from error
        if not math.isfinite(number) or not 0 <= number <= largest:
            reason = f"{name} must be from 0 to {largest:g}"
            raise InvalidPayload.because(reason, param=name)
        return number
