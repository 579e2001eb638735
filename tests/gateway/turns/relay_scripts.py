"""A relay whose upstream and client are scripts, without sockets."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import orjson

from gateway.protocol import websocket_frames
from gateway.protocol.local_failures import socket_closed
from gateway.protocol.outcome import OutcomeReader
from gateway.turns.event_source import SocketSource, SseSource
from gateway.turns.keepalive import StreamTiming
from gateway.turns.relay import Relay, RelayLimits
from gateway.turns.turn import ClientView
from gateway.upstream import UpstreamFault
from gateway.upstream.held_events import HeldBudget

CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DELTA = {"type": "response.output_text.delta", "delta": "a"}
LIMITS = {"type": "codex.rate_limits", "rate_limits": {}}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}
FAILED = {"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}}


class ScriptedDelivery:
    """Gives the sink one scripted read after the other."""

    def __init__(self, reads, sink):
        self._reads, self._sink = reads, sink
        self.is_full = False
        self.ended = asyncio.get_running_loop().create_future()

    def deliver(self):
        while self._reads and not self.is_full and not self.ended.done():
            waiting = self._sink(self._reads.pop(0))
            if waiting is not None:
                self.is_full = True
                waiting.add_done_callback(self._resume)

    def end_within(self, seconds):
        if not self.ended.done():
            self.ended.set_result(None)

    def break_off(self):
        self.ended.set_exception(UpstreamFault(socket_closed()))

    def stop(self):
        self.ended.cancel()

    def _resume(self, _):
        self.is_full = False
        self.deliver()


class Script:
    """Stands in for an upstream response and an upstream socket alike."""

    has_more = is_over = False

    def __init__(self, *reads: bytes) -> None:
        self.reads = list(reads)
        self.kept: list[bytes] = []
        self.delivery = None
        self.began = asyncio.Event()

    async def read(self, phase):
        return self.reads.pop(0) if self.reads else b""

    async def receive(self, phase):
        if not self.reads:
            raise UpstreamFault(socket_closed(phase))
        return next(payloads(self.reads.pop(0)))

    def deliver_to(self, sink):
        self.delivery = ScriptedDelivery(self.reads, sink)
        self.began.set()
        return self.delivery

    def hold(self, run: bytes) -> None:
        self.kept.append(run)


def payloads(run: bytes) -> Iterator[bytes]:
    return (payload for _, payload in websocket_frames.payloads(run))


class Wire:
    """One transport: how an event is spelt, and which source reads it."""

    def __init__(self, name: str) -> None:
        self.is_sse = name == "sse"

    def event(self, *events: dict) -> bytes:
        if self.is_sse:
            return b"".join(
                b"event: %s\ndata: %s\n\n" % (one["type"].encode(), orjson.dumps(one))
                for one in events
            )
        return b"".join(websocket_frames.frame(orjson.dumps(one)) for one in events)

    def source(self, script):
        return SseSource(script) if self.is_sse else SocketSource(script)


class ScriptedTurn:
    """The part of a turn that a relay uses."""

    is_moving = False  # its conversation, to another account

    def __init__(self, *, is_codex=True, keys_in_use=False):
        self.request = SimpleNamespace(surface="codex" if is_codex else "v1")
        self.reader = OutcomeReader()
        self.marks = []
        self.broken = None
        self._view = ClientView(is_codex, "m", keys_in_use)
        self.exchange = SimpleNamespace(
            mark=self.marks.append,
            silence=None,
            response_bytes=0,
            break_off=lambda failure: setattr(self, "broken", failure),
        )

    def view(self):
        return self._view

    def see(self, event_type, data):
        self.reader.feed(event_type, data)

    async def keep_move(self):
        pass


class SilentScript(Script):
    """Says no more than its reads, and does not end."""

    async def read(self, phase):
        await self._more()
        return await super().read(phase)

    async def receive(self, phase):
        await self._more()
        return await super().receive(phase)

    async def _more(self):
        if not self.reads:
            await asyncio.get_running_loop().create_future()


def relay_of(wire, script, turn, held=None, **timing) -> Relay:
    limits = RelayLimits(
        1.0, timing.pop("idle_timeout", 5.0), 60.0, held=held or HeldBudget()
    )
    if timing:
        limits = RelayLimits(1.0, 5.0, 60.0, StreamTiming(**timing))
    return Relay(wire.source(script), limits, turn)


async def relayed(wire, *reads, turn=None):
    """What the client got of the reads, and the relay."""
    turn = turn or ScriptedTurn()
    script = Script(*reads)
    relay = relay_of(wire, script, turn)
    await relay.reach_commit_point()
    written = []
    last = await relay.send_to(written.append)
    return b"".join([*written, last]), relay, script


async def ended(*reads):
    """The same of a body of server-sent events that ends behind the reads."""
    wire, script = Wire("sse"), Script(*reads)
    relay = relay_of(wire, script, ScriptedTurn())
    await relay.reach_commit_point()
    written = []
    sending = asyncio.create_task(relay.send_to(written.append))
    await script.began.wait()
    script.delivery.end_within(0)
    return b"".join([*written, await sending]), relay, script


def run(scenario):
    return asyncio.run(scenario)
