"""`notify` acts on the gateway that runs: its channels, its record."""

import pytest

from gateway.secret import Secret
from tests.gateway.notifications.receivers import SECRET, Receiver

pytestmark = pytest.mark.gen_test(timeout=30)


async def test_the_gateways_own_channels_are_tried(serving, shell):
    receiver = await Receiver().start()
    done = await shell("notify", "test")
    told = "No GATEWAY_NOTIFY_…_URL is among the running gateway's settings"
    assert (done.status, told in done.err) == (1, True)
    away = {"GATEWAY_ADMIN_TOKEN": shell.token}
    await serving.restart(
        notify_webhook_url=Secret(receiver.url), notify_webhook_secret=Secret(SECRET)
    )
    at = ("--url", serving.base_url)
    done = await shell.good("notify", "test", *at, **away)
    assert done.out == "ok    webhook: status 204\n"
    assert (await receiver.event())[0] == "test"
    receiver.answers = [500]
    done = await shell("notify", "test", *at, **away)
    assert (done.status, done.out) == (1, "FAIL  webhook: status 500\n")
    serving.gateway.ring.replace([])
    account = serving.account("one")
    account.health.require_login("ended")
    serving.gateway.pool.observer.account_changed.publish(account)
    await receiver.event()
    await receiver.event()
    await serving.gateway.store.flush()
    (row,) = (await shell.good("notify", "list", "--json", *at, **away)).rows
    assert (row["event"], row["channel"]) == ("account.login_ended", "webhook")
    shown = (await shell.good("notify", "list", *at, **away)).out
    assert "Account one needs a login" in shown
    await receiver.stop()
