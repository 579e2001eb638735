"""The gateway is gone for a while, or an answer is, while a client signs in."""

import signal

import pytest

from tests.faults.conftest import start_process  # noqa: F401
from tests.faults.restarting import RestartingProcess
from tests.serving import until
from tests.sign_in.signing import (
    asking,
    configure,
    invited_to,
    shown_link,
)
from tests.sign_in.terminal import CODE, DEFAULT, terminal
from tests.sign_in.wire import DEVICE_GRANT, REFUSED, wire_to

pytestmark = [
    pytest.mark.sign_in,
    pytest.mark.nightly,
    pytest.mark.gen_test(timeout=90),
]
VERSIONS = pytest.mark.parametrize("newest", [True, False])


@VERSIONS
async def test_a_terminal_waits_over_kills_and_restarts(start_process, codex, newest):  # noqa: F811
    process, cli = await start_process(kind=RestartingProcess), codex(newest=newest)
    async with invited_to(process) as ada, wire_to(process.port) as wire:
        configure(cli, wire.url)
        async with terminal(cli, *DEFAULT, "hello there") as screen:
            code = await screen.shows(CODE)
            process.signal(signal.SIGKILL)
            await process.ended()
            await until(lambda: REFUSED in wire.forms)
            await process.start()
            await ada.type_code(code)
            await process.restart()
            await screen.shows("You said: hello there", 60)
    assert wire.forms.count(DEVICE_GRANT) >= 2
    assert set(wire.errors) <= {"authorization_pending"}


@VERSIONS
async def test_whose_exchange_is_lost_is_asked_anew(serving, ada, codex, newest):
    cli = codex(newest=newest)
    async with wire_to(serving.server.port) as wire:
        configure(cli, wire.url)
        wire.lose("authorization_code")
        async with asking(cli) as (process, link):
            await ada.allow(link)
            await ada.allow(await shown_link(process), "again")
            said, _ = await process.communicate()
    assert b"You said: hello" in said
    assert [device.name for device in ada.devices()] == ["laptop", "again"]
