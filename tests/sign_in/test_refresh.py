"""Tokens are renewed by the client's clock, whatever happens to the answer."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.sign_in.signing import MODEL, age, configure, sign_in
from tests.sign_in.wire import wire_to

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=60)]

REFRESH = "refresh_token"
VERSIONS = [pytest.param(False, marks=pytest.mark.nightly), True]


@asynccontextmanager
async def signed_in(serving, person, cli):
    """The wire over which the CLI has signed in."""
    async with wire_to(serving.server.port) as wire:
        configure(cli, wire.url)
        await sign_in(cli, person)
        wire.forms.clear()
        yield wire


@pytest.mark.parametrize("newest", VERSIONS)
async def test_at_half_a_minute_and_again_when_the_answer_is_lost(
    serving, ada, codex, newest
):
    cli = codex(newest=newest)
    async with signed_in(serving, ada, cli) as wire:
        age(cli, 60)
        assert (await cli.exec("not yet", *MODEL)).returncode == 0
        assert wire.forms == []
        for number in range(2):  # the second is that of a device which had a repeat
            age(cli, 25)
            wire.lose(REFRESH)
            again = await cli.exec("hello again", *MODEL)
            assert "You said: hello again" in again.stdout
            assert wire.forms == [REFRESH] * 2 * (number + 1)
        assert wire.lost_all()
    (device,) = ada.devices()
    assert device.end_reason is None


@pytest.mark.parametrize("newest", VERSIONS)
async def test_two_processes_at_once_refresh_as_one(serving, ada, codex, newest):
    cli = codex(newest=newest)
    async with signed_in(serving, ada, cli) as wire:
        age(cli, 10)
        runs = await asyncio.gather(*(cli.exec(f"run {n}", *MODEL) for n in (1, 2)))
        assert [run.returncode for run in runs] == [0, 0]
        assert wire.forms == [REFRESH]
    (device,) = ada.devices()
    assert device.end_reason is None
