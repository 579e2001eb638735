"""An editor's client, which runs for days: it refreshes, and its device ends."""

import pytest

from gateway.store.users.oauth_tables import DeviceRow
from tests.e2e.app_server import running
from tests.serving import until
from tests.sign_in.editor import CHANGED, LOGIN, USABLE, shown_to_editor
from tests.sign_in.signing import configure, devices_of_turns, sign_in
from tests.sign_in.wire import wire_to

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=30)]

REFRESH = "refresh_token"


async def run_out(serving):
    """The last access token of a device that was signed out is over; so are sockets."""

    def age():
        DeviceRow.update(ends_at=1).where(DeviceRow.ends_at.is_null(False)).execute()

    await serving.gateway.store.write(age)
    await serving.gateway.oauth.load()
    await until(lambda: not serving.gateway.channels)


@pytest.mark.parametrize("websockets", [True, False])
async def test_it_goes_on_over_refreshes_until_it_is_signed_out(
    serving, ada, codex, websockets
):
    cli = codex(newest=True)
    async with wire_to(serving.server.port) as wire:
        wire.lifetime = 29  # so that it refreshes before each turn
        configure(cli, wire.url, websockets=websockets)
        await sign_in(cli, ada)
        wire.forms.clear()
        async with running(cli, *USABLE) as editor:
            thread = (await editor.call("thread/start", {}))["thread"]["id"]
            for text in ("one", "two"):
                assert await editor.turn(thread, text) == "completed"
            assert wire.forms.count(REFRESH) >= 2
            (first,) = ada.devices()
            assert first.end_reason is None
            await serving.gateway.oauth.sign_out(first.id, "test", at_once=False)
            await editor.begin_turn(thread, "three")
            ended = (await editor.told("turn/completed"))["turn"]
            assert "sign-in required" in ended["error"]["message"]
            assert wire.errors == ["invalid_grant"]
            assert bool(serving.gateway.channels) == websockets
            await run_out(serving)
            # The same process signs in again.
            await editor.ask(LOGIN, {})
            await ada.allow(await shown_to_editor(editor), "again")
            await editor.told(CHANGED, status="succeeded")
            assert await editor.turn(thread, "four") == "completed"
    again = ada.devices()[-1]
    assert (again.name, again.end_reason) == ("again", None)
    assert await devices_of_turns(serving) == {first.id, again.id}
