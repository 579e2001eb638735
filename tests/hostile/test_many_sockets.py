"""One key opens sockets without end, or fills them with messages that do not end."""

import asyncio
import json
from contextlib import suppress

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.faults.process import FaultyProcess
from tests.faults.raw import frame, raw_socket
from tests.serving import CODEX, PATIENCE, payload, turn_on, until
from tests.tools.bench.machine import resident_bytes

pytestmark = pytest.mark.hostile

MEBIBYTE = 1024 * 1024
TURN = ScriptedTurn().text("ok").completed()


async def closed_with(ws):
    assert (await ws.receive(timeout=PATIENCE)).type is aiohttp.WSMsgType.CLOSE
    return ws.close_code


async def refused(serving, token):
    headers = {"x-api-key": token} if token else {}
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await serving.socket(headers=headers)
    return caught.value.status


@pytest.mark.parametrize("has_key", [True, False], ids=["key", "address"])
@pytest.mark.settings(sockets_per_key=3)
@pytest.mark.gen_test
async def test_the_longest_idle_socket_makes_room(serving, upstream, has_key):
    token = await serving.add_key() if has_key else None
    headers = {"x-api-key": token} if has_key else {}
    first, second, third = [await serving.socket(headers=headers) for _ in range(3)]
    await turn_on(first)  # the second one has been idle for longest now
    fourth = await serving.socket(headers=headers)
    assert await closed_with(second) == 1012
    fifth = await serving.socket(headers=headers)
    assert await closed_with(third) == 1012
    for ws in (first, fourth, fifth):
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        await ws.close()


@pytest.mark.settings(sockets_per_key=2)
@pytest.mark.gen_test
async def test_busy_sockets_stay_and_others_may_come(serving, upstream):
    token, other = await serving.add_key(), await serving.add_key("other")
    headers = {"x-api-key": token}
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:], times=2)
    busy = [await serving.socket(headers=headers) for _ in range(2)]
    for ws in busy:
        await ws.send_json({"type": "response.create", **payload()})
    await upstream.arrived(2)
    assert await refused(serving, token) == 426
    async with serving.socket(headers={"x-api-key": other}) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert (await serving.ask(headers=headers)).status == 200  # over HTTP
    go_on.set()
    for ws in busy:
        while json.loads((await ws.receive(timeout=PATIENCE)).data)["type"] != (
            "response.completed"
        ):
            pass
    async with serving.socket(headers=headers) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


@pytest.mark.settings(sockets_per_key=2)
@pytest.mark.gen_test
async def test_sockets_that_ignore_their_close_are_bounded_too(serving):
    token = await serving.add_key()
    opened = []
    for _ in range(4):
        opened.append(await raw_socket_of(serving, token))
    assert await refused(serving, token) == 426
    assert len(serving.gateway.channels) == 4
    for _, writer in opened:
        writer.close()
    await until(lambda: len(serving.gateway.channels) == 0)
    async with serving.socket(headers={"x-api-key": token}) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


async def raw_socket_of(serving, token):
    lines = b"X-Api-Key: %b\r\n" % token.encode()
    port = getattr(serving, "port", None)  # of a process, else of `serving`
    return await raw_socket(serving, lines=lines, port=port)


def unfinished(size, whole=7 * MEBIBYTE, *, fragmented=False):
    """The beginning of a message, as one frame or in fragments."""
    if fragmented:
        return frame(b"x" * size, fin=False)
    return frame(b"", length=whole) + b"x" * size


@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.settings(body_budget_bytes=16 * MEBIBYTE)
@pytest.mark.gen_test
async def test_unfinished_messages_count_against_the_share(serving, fragmented):
    token, other = await serving.add_key(), await serving.add_key("other")
    budget = serving.gateway.body_budget
    held_part = unfinished(2 * MEBIBYTE, fragmented=fragmented)
    too_much = unfinished(3 * MEBIBYTE, fragmented=fragmented)
    attack = [await raw_socket_of(serving, token) for _ in range(8)]
    for held, (_, writer) in enumerate(attack[:3], 1):
        writer.write(held_part)
        await until(lambda held=held: budget.used >= held * 2 * MEBIBYTE)
    for reader, writer in attack[3:]:  # the share is half of the budget: 8 MiB
        writer.write(too_much)
        told = await asyncio.wait_for(reader.read(), PATIENCE)
        assert b'"status":503' in told
        assert b"gateway_overloaded" in told
        assert told.endswith((1013).to_bytes(2, "big"))
    await until(lambda: budget.used < 7 * MEBIBYTE)
    # Whoever else has a key is served, over HTTP and sockets.
    headers = {"x-api-key": other}
    big = payload("x" * MEBIBYTE)
    assert (await serving.ask(body=big, headers=headers)).status == 200
    async with serving.socket(headers=headers) as ws:
        assert (await turn_on(ws, big))[-1]["type"] == "response.completed"
    for _, writer in attack:
        writer.close()
    await until(lambda: budget.used == 0)


@pytest.mark.nightly
@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.gen_test(timeout=120)
async def test_forty_sockets_full_of_a_message(upstream, tmp_path, fragmented):
    """2.4 GB of one key's, of which the gateway takes its share."""
    gateway = FaultyProcess(
        tmp_path, upstream.url, BODY_BUDGET_BYTES=str(128 * MEBIBYTE)
    )
    auth_file = upstream.add_account("one").write_auth_file(tmp_path / "auth")
    await gateway.run("accounts", "import", str(auth_file))
    tokens = [await gateway.create_key(name) for name in ("attacker", "other")]
    await gateway.start()
    idle = resident_bytes([gateway.pid])
    connections = []
    peak = idle

    async def fill():
        writer = (await raw_socket_of(gateway, tokens[0]))[1]
        connections.append(writer)
        with suppress(ConnectionError):
            writer.write(unfinished(MEBIBYTE, 63 * MEBIBYTE, fragmented=fragmented))
            for _ in range(60):
                writer.write(fragment if fragmented else b"x" * MEBIBYTE)
                await writer.drain()

    fragment = frame(b"x" * MEBIBYTE, opcode=0, fin=False)
    attack = [asyncio.create_task(fill()) for _ in range(40)]
    answered = 0
    async with aiohttp.ClientSession(gateway.url) as session:
        while not all(task.done() for task in attack) or answered < 50:
            headers = {"x-api-key": tokens[1]}
            async with session.post(CODEX, json=payload(), headers=headers) as answer:
                assert answer.status == 200
                await answer.read()
            answered += 1
            peak = max(peak, resident_bytes([gateway.pid]))
    print({"mib": (peak - idle) // MEBIBYTE, "answered": answered})
    for writer in connections:
        writer.close()
    await gateway.stop()
    assert peak - idle < (128 + 200) * MEBIBYTE
