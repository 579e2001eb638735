"""An editor signs in through the client's app-server: read, login, cancel."""

import pytest

from tests.e2e.app_server import running
from tests.sign_in.editor import (
    CANCEL,
    CHANGED,
    LOGIN,
    READ,
    USABLE,
    shown_to_editor,
)
from tests.sign_in.signing import configure, devices_of_turns

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=30)]


async def status(editor):
    return (await editor.call(READ, {}))["status"]


@pytest.mark.parametrize(
    "newest", [pytest.param(False, marks=pytest.mark.nightly), True]
)
async def test_an_editor_is_asked_cancels_and_signs_in(serving, ada, codex, newest):
    cli = codex(newest=newest)
    configure(cli, serving.base_url)
    async with running(cli, *USABLE) as editor:
        told = await editor.call(READ, {})
        assert (told["required"], told["supportsDeviceAuth"]) == (True, True)
        assert told["status"] == "notReady"
        prompt = (await editor.call(LOGIN, {"deviceAuth": True}))["prompt"]
        assert prompt["verificationUrl"] == f"{serving.base_url}/device"
        assert await status(editor) == "started"
        await editor.call(CANCEL, {})
        assert await status(editor) == "failed"
        # By a link: the call ends once the person has decided.
        await editor.ask(LOGIN, {})
        link = await shown_to_editor(editor)
        assert await ada.allow(link, "editor") == 200
        await editor.told(CHANGED, status="succeeded")
        thread = (await editor.call("thread/start", {}))["thread"]["id"]
        assert await editor.turn(thread, "hello") == "completed"
    (device,) = ada.devices()
    assert (device.name, device.flow) == ("editor", "browser")
    assert await devices_of_turns(serving) == {device.id}


@pytest.mark.nightly
async def test_an_editor_signs_in_by_a_code(serving, ada, codex):
    cli = codex(newest=True)
    configure(cli, serving.base_url)
    async with running(cli, *USABLE) as editor:
        prompt = (await editor.call(LOGIN, {"deviceAuth": True}))["prompt"]
        await ada.type_code(prompt["userCode"], "editor")
        await editor.told(CHANGED, status="succeeded")
    (device,) = ada.devices()
    assert (device.name, device.flow) == ("editor", "device")


async def test_an_editor_shows_that_the_person_refused(serving, ada, codex):
    cli = codex(newest=True)
    configure(cli, serving.base_url)
    async with running(cli, *USABLE) as editor:
        await editor.ask(LOGIN, {})
        link = await shown_to_editor(editor)
        assert await ada.allow(link, action="deny") == 400
        await editor.told(CHANGED, status="failed")
    assert ada.devices() == []
