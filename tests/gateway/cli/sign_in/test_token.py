"""`token` keeps what it signed in with, and renews it."""

import asyncio
import json
import stat
import time
from contextlib import suppress

import pytest

from gateway.cli.sign_in.token import (
    NoToken,
    _locked,
    access_token,
    sign_in,
    token_file,
)
from gateway.oauth.device_flow import UnknownUserCode
from gateway.oauth.devices import EndReason, end_devices
from gateway.oauth.endpoints import DEVICE_GRANT, REFRESH_GRANT, Endpoints
from gateway.store.users.oauth_tables import DeviceRow
from tests.devices import add_person
from tests.handlers.dashboard.browsing import HERE
from tests.sign_in.wire import wire_to


def age(file, seconds_left):
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "expires_at": time.time() + seconds_left}))


def person_types(gateway, user_id):
    """What is told, and a person who types the code instead of a pause."""
    loop, told = asyncio.get_running_loop(), []

    def decide(_):
        typed = told[0].rpartition(" ")[2]
        done = gateway.device_flow.approve(typed, user_id, "job", HERE)
        with suppress(UnknownUserCode):  # it has typed it
            asyncio.run_coroutine_threadsafe(done, loop).result(10)

    return told, decide


def test_no_token_is_sent_where_others_read_it(commands):
    done = commands("token", "--url", "http://gw.example")
    assert (done.status, "needs an https address" in done.err) == (2, True)
    none = commands("token", "--url", "https://gw.example")
    assert (none.status, "--sign-in` does it" in none.err) == (1, True)


@pytest.mark.gen_test(timeout=20)
async def test_a_program_signs_in_once_and_renews_its_token(serving, tmp_path):
    user_id, _ = await add_person(serving)
    gateway, url, file = serving.gateway, serving.base_url, tmp_path / "a" / "t.json"
    with pytest.raises(NoToken, match="--sign-in"):
        await asyncio.to_thread(access_token, url, file)
    told, decide = person_types(gateway, user_id)
    await asyncio.to_thread(sign_in, url, file, told.append, decide)
    assert f"{url}/device" in told[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = await asyncio.to_thread(access_token, url, file)
    assert await asyncio.to_thread(access_token, url, file) == first
    age(file, 30)
    both = [asyncio.to_thread(access_token, url, file) for _ in range(2)]
    second, same = await asyncio.gather(*both)
    assert second == same != first
    (device,) = gateway.oauth.devices()
    assert (device.name, device.end_reason) == ("job", None)
    ends = (DeviceRow.id == device.id, EndReason.ENDED, "cli", time.time())
    await gateway.store.write(end_devices, *ends)
    await gateway.reload()
    age(file, 0)
    with pytest.raises(NoToken, match="--sign-in"):
        await asyncio.to_thread(access_token, url, file)


@pytest.mark.gen_test(timeout=20)
async def test_an_answer_that_is_lost_is_asked_for_again(serving, tmp_path):
    user_id, _ = await add_person(serving)
    gateway, file = serving.gateway, tmp_path / "t.json"
    told, decide = person_types(gateway, user_id)

    def wait(seconds):
        decide(seconds)
        gateway.oauth_endpoints = Endpoints(gateway.store, gateway.oauth)

    async with wire_to(serving.server.port) as wire:
        wire.lose(DEVICE_GRANT)
        await asyncio.to_thread(sign_in, wire.url, file, told.append, wait)
        age(file, 30)
        wire.lose(REFRESH_GRANT)
        token = await asyncio.to_thread(access_token, wire.url, file)
        assert wire.lost_all()
    bearer = {"authorization": f"Bearer {token}"}
    assert (await serving.ask(headers=bearer)).status == 200
    (device,) = gateway.oauth.devices()
    assert device.end_reason is None


def test_nobody_waits_for_ever_for_a_program_that_hangs(tmp_path):
    file = tmp_path / "t.json"
    refused = pytest.raises(NoToken, match=r"keeps .*t\.lock")
    with _locked(file), refused, _locked(file, 0.1):
        pytest.fail("two have it")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"expires_at": "x"}', "null"])
def test_a_file_that_holds_no_tokens_is_a_sign_in_to_do(tmp_path, text):
    file = tmp_path / "t.json"
    file.write_text(text)
    with pytest.raises(NoToken, match="--sign-in"):
        access_token("https://gw.example", file)


def test_each_gateway_has_a_file_of_its_own():
    urls = ["https://gw.example", "http://127.0.0.1:1", "http://[::1]:1", "https://a/b"]
    files = [token_file(url) for url in urls]
    assert files[0].name == "gw.example.json"
    assert len(set(files)) == len(urls)
    assert len({file.parent for file in files}) == 1
