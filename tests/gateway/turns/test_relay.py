"""The relay as a script of reads and writes, over both kinds of source, no sockets."""

import asyncio

import pytest

from gateway.protocol import websocket_frames
from gateway.turns.relay import FailedStream
from gateway.upstream import UpstreamFault
from gateway.upstream.held_events import HELD_BYTES, HeldBudget
from tests.gateway.turns.relay_scripts import (
    COMPLETED,
    CREATED,
    DELTA,
    FAILED,
    LIMITS,
    Script,
    ScriptedTurn,
    SilentScript,
    Wire,
    ended,
    relay_of,
    relayed,
    run,
)


@pytest.fixture(params=["sse", "socket"])
def wire(request):
    return Wire(request.param)


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


def test_a_chat_s_failure_before_the_commit_point_is_never_shown_as_it_came(wire):
    turn = ScriptedTurn()
    turn.request.surface = "chat"
    relay = relay_of(wire, Script(wire.event(CREATED), wire.event(FAILED)), turn)
    with pytest.raises(UpstreamFault) as told:
        run(relay.reach_commit_point())
    assert not isinstance(told.value, FailedStream)


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


def padded(size):
    return {"type": "codex.padding", "padding": "x" * size}


@pytest.mark.parametrize("size", [0, 50, 100_000])
def test_a_turn_that_holds_back_too_much_commits(wire, size):
    held = HeldBudget()
    event = wire.event(padded(size))
    reads = [wire.event(CREATED)] + [event] * (2 * HELD_BYTES // (len(event) + 64))

    async def scenario():
        script = Script(*reads, wire.event(DELTA), wire.event(COMPLETED))
        relay = relay_of(wire, script, ScriptedTurn(), held)
        await relay.reach_commit_point()
        left = len(script.reads)
        assert abs(left - len(reads) / 2) < len(reads) / 100 + 4
        assert held.used == 0
        written = []
        last = await relay.send_to(written.append)
        assert b"".join([*written, last]) == b"".join(reads) + wire.event(
            DELTA
        ) + wire.event(COMPLETED)

    run(scenario())


def test_comments_are_held_within_bounds():
    async def scenario():
        script = Script(*[b":\n\n" * 1000] * 100)
        await relay_of(Wire("sse"), script, ScriptedTurn()).reach_commit_point()
        assert len(script.reads) > 80

    run(scenario())


def test_turns_that_hold_back_too_much_together_commit(wire):
    held = HeldBudget(limit=100_000)
    event = wire.event(padded(10_000))

    async def scenario():
        first = relay_of(wire, SilentScript(*[event] * 8), ScriptedTurn(), held)
        waiting = asyncio.create_task(first.reach_commit_point())
        await asyncio.sleep(0)
        script = Script(*[event] * 8)
        await relay_of(wire, script, ScriptedTurn(), held).reach_commit_point()
        assert len(script.reads) == 6
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert held.used == 0
        # Nobody holds anything any longer: one turn may again.
        other = SilentScript(*[event] * 8)
        waiting = asyncio.create_task(
            relay_of(wire, other, ScriptedTurn(), held).reach_commit_point()
        )
        await asyncio.sleep(0)
        assert (other.reads, waiting.done()) == ([], False)
        waiting.cancel()

    run(scenario())


def test_a_failure_is_none_the_less_for_being_large(wire):
    held = HeldBudget()
    failed = {**FAILED, "padding": "x" * 2 * HELD_BYTES}

    async def scenario():
        relay = relay_of(wire, Script(wire.event(failed)), ScriptedTurn(), held)
        with pytest.raises(FailedStream):
            await relay.reach_commit_point()
        assert held.used == 0

    run(scenario())
