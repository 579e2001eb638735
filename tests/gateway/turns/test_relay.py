"""The relay as a script of reads and writes, over both kinds of source, no sockets."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import orjson
import pytest

from gateway.protocol import websocket_frames
from gateway.protocol.local_failures import socket_closed
from gateway.protocol.outcome import OutcomeReader
from gateway.turns.event_source import SocketSource, SseSource
from gateway.turns.keepalive import StreamTiming
from gateway.turns.relay import FailedStream, Relay, RelayLimits
from gateway.turns.turn import ClientView
from gateway.upstream import UpstreamFault

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


@pytest.fixture(params=["sse", "socket"])
def wire(request):
    return Wire(request.param)


class ScriptedTurn:
    """The part of a turn that a relay uses."""

    def __init__(self, *, is_codex=True, keys_in_use=False):
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


def relay_of(wire, script, turn, **timing) -> Relay:
    limits = RelayLimits(1.0, timing.pop("idle_timeout", 5.0), 60.0)
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


def test_events_pass_as_they_came_however_they_are_read(wire):
    whole = wire.event(CREATED, DELTA, DELTA, COMPLETED)
    one_by_one = [wire.event(one) for one in (CREATED, DELTA, DELTA, COMPLETED)]
    got, relay, _ = run(relayed(wire, *one_by_one))
    assert (got, relay.broken) == (whole, None)


def test_bytes_are_counted_as_they_leave(wire):
    turn = ScriptedTurn()
    got, _, _ = run(
        relayed(wire, *map(wire.event, (CREATED, DELTA, COMPLETED)), turn=turn)
    )
    assert turn.exchange.response_bytes == len(got)
    assert turn.marks[-1] == "first_output"


def test_what_speaks_of_the_account_is_left_out_beside_keys(wire):
    reads = [wire.event(one) for one in (CREATED, DELTA)] + [
        wire.event(LIMITS, DELTA, COMPLETED)
    ]
    got, _, _ = run(relayed(wire, *reads, turn=ScriptedTurn(keys_in_use=True)))
    assert got == wire.event(CREATED, DELTA, DELTA, COMPLETED)


def test_a_failure_before_the_commit_point_can_be_shown_as_it_came(wire):
    async def scenario():
        script = Script(wire.event(CREATED), wire.event(FAILED))
        relay = relay_of(wire, script, turn)
        with pytest.raises(FailedStream) as caught:
            await relay.reach_commit_point()
        assert caught.value.relay is relay
        assert caught.value.failure.code == "invalid_prompt"
        written = []
        if wire.is_sse:
            script.is_over = True
        last = await relay.send_to(written.append)
        return b"".join([*written, last])

    turn = ScriptedTurn()
    assert run(scenario()) == wire.event(CREATED, FAILED)


def test_what_follows_the_last_event_on_a_socket_is_kept_for_the_next_turn():
    wire = Wire("socket")
    late = wire.event(LIMITS)
    reads = wire.event(CREATED), wire.event(DELTA), wire.event(COMPLETED) + late
    got, _, script = run(relayed(wire, *reads))
    assert got == wire.event(CREATED, DELTA, COMPLETED)
    assert script.kept == [late]


def test_what_follows_the_last_event_of_a_body_is_passed_on():
    wire = Wire("sse")
    reads = wire.event(CREATED, DELTA), wire.event(COMPLETED) + b"data: [DONE]\n\n"
    got, _, script = run(relayed(wire, *reads))
    assert got == wire.event(CREATED, DELTA, COMPLETED) + b"data: [DONE]\n\n"
    assert script.kept == []


def test_the_end_of_a_stream_makes_its_last_event_whole():
    """Lines may end with CR alone, and nothing follows the last one (WHATWG)."""
    reads = [
        Wire("sse").event(one).replace(b"\n", b"\r")
        for one in (CREATED, DELTA, COMPLETED)
    ]
    for count in range(1, 4):
        script = [b"".join(reads[:count]), *reads[count:]]
        got, relay, _ = run(ended(*script))
        assert (got, relay.broken) == (b"".join(reads), None)


def test_a_failure_that_only_the_end_makes_whole_is_met_before_the_commit_point():
    async def scenario():
        wire = Wire("sse")
        script = Script(wire.event(FAILED).replace(b"\n", b"\r"))
        with pytest.raises(FailedStream) as caught:
            await relay_of(wire, script, ScriptedTurn()).reach_commit_point()
        assert caught.value.failure.code == "invalid_prompt"

    run(scenario())


def test_an_error_without_a_type_is_a_failure(wire):
    async def scenario():
        told = b'{"error":{"message":"full","type":"rate_limit_error","code":null}}'
        run = b"data: %s\n\n" % told if wire.is_sse else websocket_frames.frame(told)
        turn = ScriptedTurn()
        with pytest.raises(UpstreamFault) as caught:
            await relay_of(wire, Script(run), turn).reach_commit_point()
        failure = caught.value.failure
        assert (failure.message, failure.type) == ("full", "rate_limit_error")
        assert turn.reader.status == "error"

    run(scenario())


def test_a_stream_that_breaks_off_is_told_where_a_close_does_not_tell_it(wire):
    async def scenario():
        turn = ScriptedTurn()
        script = Script(wire.event(CREATED), wire.event(DELTA))
        relay = relay_of(wire, script, turn)
        await relay.reach_commit_point()
        written = []
        sending = asyncio.create_task(relay.send_to(written.append))
        await script.began.wait()
        script.delivery.break_off()
        last = await sending
        assert b"".join(written) == wire.event(CREATED, DELTA)
        assert relay.broken is turn.broken
        assert relay.broken.code == "stream_incomplete"
        return last

    last = run(scenario())
    if wire.is_sse:
        assert last.startswith(b"event: response.failed\ndata: ")
        assert b'"resp_1"' in last
    else:
        assert last == b""


def test_nothing_more_is_handed_over_while_the_client_has_enough(wire):
    async def scenario():
        script = Script(*map(wire.event, (CREATED, DELTA, DELTA, COMPLETED)))
        relay = relay_of(wire, script, ScriptedTurn())
        await relay.reach_commit_point()
        written, full = [], asyncio.Event()
        room = asyncio.get_running_loop().create_future()

        def sink(data):
            written.append(data)
            if len(written) != 2:
                return None
            full.set()
            return room

        sending = asyncio.create_task(relay.send_to(sink))
        await full.wait()
        await asyncio.sleep(0)  # a relay that did not wait would go on here
        assert len(written) == 2
        room.set_result(None)
        last = await sending
        return b"".join([*written, last]), written

    got, written = run(scenario())
    assert got == wire.event(CREATED, DELTA, DELTA, COMPLETED)
    assert len(written) > 2


def test_silence_is_filled_with_what_the_client_takes_for_data(wire):
    async def scenario():
        script = Script(wire.event(CREATED), wire.event(DELTA))
        relay = relay_of(wire, script, ScriptedTurn(), data_keepalive=0.01)
        await relay.reach_commit_point()
        written, filled = [], asyncio.Event()

        def sink(data):
            written.append(data)
            if b"codex.keepalive" in data:
                filled.set()

        sending = asyncio.create_task(relay.send_to(sink))
        await filled.wait()
        sending.cancel()
        await asyncio.wait({sending})
        return written[-1]

    assert run(scenario()) == wire.source(Script()).keepalive


def test_an_upstream_that_stays_silent_is_given_up(wire):
    async def scenario():
        turn = ScriptedTurn()
        script = Script(wire.event(CREATED), wire.event(DELTA))
        relay = relay_of(wire, script, turn, idle_timeout=0.01)
        await relay.reach_commit_point()
        await relay.send_to(lambda data: None)
        return turn.broken.code

    assert run(scenario()) == "stream_idle_timeout"
