"""A device that ends while a turn runs, and what its client shows then."""

import asyncio

import pytest

from gateway.admin.users.changes import disable_user
from tests.e2e.app_server import running
from tests.handlers.api.streams import TURN
from tests.sign_in.editor import USABLE
from tests.sign_in.signing import (
    MODEL,
    ONCE,
    age,
    asking,
    configure,
    person_in,
    sign_in,
)

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=30)]

ADVICE = "delete secrets/gateway_oauth.json"


async def sign_out_softly(person):
    (device,) = person.devices()
    await person.serving.gateway.oauth.sign_out(device.id, "test", at_once=False)


async def sign_out_at_once(person):
    (device,) = person.devices()
    await person.serving.gateway.oauth.sign_out(device.id, "test", at_once=True)


async def disable_person(person):
    gateway = person.serving.gateway
    await gateway.store.write(
        lambda: disable_user(person.user_id, "test", disabled=True)
    )
    await gateway.changes.look()


@pytest.mark.parametrize("websockets", [True, False])
@pytest.mark.parametrize("end", [sign_out_softly, sign_out_at_once, disable_person])
async def test_a_running_turn_ends_by_itself(
    serving, upstream, ada, codex, end, websockets
):
    cli = codex(newest=True)
    configure(cli, serving.base_url, websockets=websockets)
    await sign_in(cli, ada)
    async with running(cli, *USABLE, *ONCE) as editor:
        thread = (await editor.call("thread/start", {}))["thread"]["id"]
        held = asyncio.Event()
        upstream.answer(*TURN.events[:6], held, *TURN.events[6:])
        await editor.begin_turn(thread, "a long one")
        await upstream.arrived(2)
        await end(ada)
        held.set()
        ended = await editor.told("turn/completed")
        assert ended["turn"]["status"] == "completed"
        await editor.begin_turn(thread, "and now?")
        ended = (await editor.told("turn/completed"))["turn"]
    if end is sign_out_softly:
        # What it has runs out.
        assert ended["status"] == "completed"
    else:
        assert ended["status"] == "failed"
        assert ADVICE in ended["error"]["message"]
    # Once it has, the client signs in anew by itself.
    age(cli, 0)
    async with asking(cli) as (_, link):
        assert "/oauth/authorize?" in link
    assert all(device.is_signed_out for device in ada.devices())


async def test_two_devices_share_a_budget_exactly(serving, codex):
    eve = await person_in(serving, "eve", limits=["requests 5/1h"])
    laptop, desktop = codex(newest=True), codex(newest=False)
    for cli in (laptop, desktop):
        # On a socket the client warms up, which counts as well.
        configure(cli, serving.base_url, websockets=False)
        await sign_in(cli, eve)
    runs = await asyncio.gather(
        *(
            cli.exec(f"run {n}", *MODEL, *ONCE)
            for n in (1, 2)
            for cli in (laptop, desktop)
        )
    )
    assert sorted(run.returncode for run in runs) == [0, 0, 0, 1]
    assert len(serving.upstream.of()) == 5
