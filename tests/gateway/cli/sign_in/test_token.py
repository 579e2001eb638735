"""`token` keeps what it signed in with, and renews it."""

import asyncio
import json
import stat
import time

import pytest

from gateway.cli.sign_in.token import NoToken, access_token, sign_in
from gateway.oauth.devices import EndReason, end_devices
from gateway.store.users.oauth_tables import DeviceRow
from tests.devices import add_person
from tests.handlers.dashboard.browsing import HERE


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
    loop, told = asyncio.get_running_loop(), []

    def decide(_):
        """Instead of waiting, the person types the code."""
        typed = told[0].rpartition(" ")[2]
        done = gateway.device_flow.approve(typed, user_id, "job", HERE)
        asyncio.run_coroutine_threadsafe(done, loop).result(10)

    await asyncio.to_thread(sign_in, url, file, told.append, decide)
    assert f"{url}/device" in told[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = await asyncio.to_thread(access_token, url, file)
    assert await asyncio.to_thread(access_token, url, file) == first
    kept = json.loads(file.read_text())
    kept[url]["expires_at"] = time.time() + 30
    file.write_text(json.dumps(kept))
    both = [asyncio.to_thread(access_token, url, file) for _ in range(2)]
    second, same = await asyncio.gather(*both)
    assert second == same != first
    (device,) = gateway.oauth.devices()
    assert (device.name, device.end_reason) == ("job", None)
    ends = (DeviceRow.id == device.id, EndReason.ENDED, "cli", time.time())
    await gateway.store.write(end_devices, *ends)
    await gateway.reload()
    kept = json.loads(file.read_text())
    kept[url]["expires_at"] = 0
    file.write_text(json.dumps(kept))
    with pytest.raises(NoToken, match="--sign-in"):
        await asyncio.to_thread(access_token, url, file)
