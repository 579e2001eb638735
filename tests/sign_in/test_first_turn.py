"""Codex signs in by itself: by a link, and by a code on a machine without a browser."""

import asyncio

import pytest

from tests.serving import until
from tests.sign_in.signing import (
    MODEL,
    asking,
    configure,
    devices_of_turns,
    shown_link,
    sign_in,
)
from tests.sign_in.terminal import CODE, DEFAULT, terminal
from tests.sign_in.wire import DEVICE_GRANT, wire_to

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=90)]

NIGHTLY = pytest.mark.nightly


@pytest.mark.parametrize(
    ("newest", "websockets"),
    [
        (True, True),
        (False, False),
        pytest.param(True, False, marks=NIGHTLY),
        pytest.param(False, True, marks=NIGHTLY),
    ],
)
async def test_by_a_link_and_the_second_run_needs_none(
    serving, ada, codex, newest, websockets
):
    cli = codex(newest=newest)
    configure(cli, serving.base_url, websockets=websockets)
    assert "You said: hello" in await sign_in(cli, ada)
    again = await cli.exec("once more", *MODEL)
    assert "You said: once more" in again.stdout
    (device,) = ada.devices()
    assert (device.name, device.flow) == ("laptop", "browser")
    used = [one.transport for one in serving.upstream.of()]
    assert used == ["websocket" if websockets else "http"] * 2
    assert await devices_of_turns(serving) == {device.id}


@NIGHTLY
@pytest.mark.parametrize("newest", [True, False])
async def test_a_link_outlives_what_a_person_takes_to_sign_in(
    serving, ada, codex, newest
):
    cli = codex(newest=newest)
    configure(cli, serving.base_url)
    async with asking(cli) as (process, link):
        # A handshake of Codex's has 15 s, unless the file says more.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(shown_link(process), 20)
        assert await ada.allow(link) == 200
        said, told = await process.communicate()
    assert process.returncode == 0, told
    assert b"You said: hello" in said


@pytest.mark.parametrize(
    ("newest", "lost"),
    [
        (True, False),
        pytest.param(False, False, marks=NIGHTLY),
        pytest.param(True, True, marks=NIGHTLY),
        pytest.param(False, True, marks=NIGHTLY),
    ],
)
async def test_by_a_code_in_a_terminal(serving, ada, codex, newest, lost):
    cli = codex(newest=newest)
    async with wire_to(serving.server.port) as wire:
        configure(cli, wire.url)
        async with terminal(cli, *DEFAULT, "hello there") as screen:
            code = await screen.shows(CODE)
            assert await screen.shows("/device")
            # It has polled by then.
            if lost:
                wire.lose(DEVICE_GRANT)
            await ada.type_code(code.lower())
            await screen.shows("You said: hello there")
    assert wire.forms == ["/oauth/device", *[DEVICE_GRANT] * (3 if lost else 2)]
    (device,) = ada.devices()
    assert (device.flow, device.end_reason) == ("device", None)
    assert await devices_of_turns(serving) == {device.id}


@pytest.mark.nightly
async def test_who_waits_for_a_person_is_in_time(serving, ada, codex):
    cli = codex(newest=True)
    async with wire_to(serving.server.port) as wire:
        configure(cli, wire.url)
        async with terminal(cli, *DEFAULT, "hello there") as screen:
            code = await screen.shows(CODE)
            await until(lambda: len(wire.forms) == 5)
            await ada.type_code(code)
            await screen.shows("You said: hello there")
    assert wire.errors == ["authorization_pending"] * 4
