"""`run.py notify`, by itself and through a gateway; the settings of channels."""

import asyncio
import os
from dataclasses import replace

import pytest

from gateway.secret import Secret
from gateway.settings import Settings
from tests.gateway.cli.commands import Commands
from tests.gateway.notifications.receivers import SECRET, MailServer, Receiver

WEBHOOK = {
    "GATEWAY_NOTIFY_WEBHOOK_URL": "https://hooks.example/sesame",
    "GATEWAY_NOTIFY_WEBHOOK_SECRET": SECRET,
}
MAIL = {
    "GATEWAY_NOTIFY_MAIL_FROM": "gateway@example.com",
    "GATEWAY_NOTIFY_MAIL_TO": "ada@example.com, grace@example.org",
}


@pytest.fixture
def receiver(io_loop):
    made = Receiver()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.mark.gen_test
async def test_a_test_goes_to_every_channel_and_says_what_each_answered(
    receiver, tmp_path
):
    receiver.answers = [200, 403]
    mails = await MailServer(auth="").start()
    env = {
        **WEBHOOK,
        **MAIL,
        "GATEWAY_NOTIFY_WEBHOOK_URL": receiver.url,
        "GATEWAY_NOTIFY_MAIL_URL": f"smtp-plain://127.0.0.1:{mails.port}",
    }
    commands = Commands(tmp_path)
    done = await asyncio.to_thread(commands, "notify", "test", **env)
    assert done.status == 0, done.err
    assert done.out == "ok    webhook: status 200\nok    mail: taken\n"
    assert (await receiver.event())[0] == "test"
    assert mails.mails.get_nowait()[1] == ["ada@example.com", "grace@example.org"]
    await mails.stop()
    done = await asyncio.to_thread(commands, "notify", "test", "--json", **env)
    assert done.status == 1
    assert done.rows == [
        {"channel": "webhook", "ok": False, "answer": "status 403"},
        {
            "channel": "mail",
            "ok": False,
            "answer": "no connection (Connection refused)",
        },
    ]


def test_without_a_channel_there_is_nothing_to_test(commands):
    done = commands("notify", "test")
    assert (done.status, "No GATEWAY_NOTIFY_…_URL is" in done.err) == (1, True)
    assert commands.good("notify", "list").out == "Nothing was told yet.\n"


@pytest.mark.parametrize(
    ("env", "lacking"),
    [
        ({"WEBHOOK_URL": "https://x"}, "WEBHOOK_SECRET: GATEWAY_NOTIFY_WEBHOOK_URL"),
        ({"NTFY_TOKEN": "sesame"}, "NTFY_URL: GATEWAY_NOTIFY_NTFY_TOKEN needs it"),
        ({"MAIL_URL": "smtps://h"}, "MAIL_TO: GATEWAY_NOTIFY_MAIL_URL needs it"),
        ({"WEBHOOK_SECRET": "sesame-sesame-sesame-ses"}, "WEBHOOK_SECRET: Give whsec_"),
        ({"WEBHOOK_SECRET": "whsec_sesame"}, "WEBHOOK_SECRET: Give whsec_"),
        ({"WEBHOOK_URL": "ftp://sesame"}, "WEBHOOK_URL: Give https://… or http://…"),
        ({"NTFY_URL": "ntfy.sh/sesame"}, "NTFY_URL: Give https://… or http://…"),
        ({"NTFY_URL": "https://ntfy.sh"}, "NTFY_URL: Give the topic, too"),
        ({"MAIL_URL": "mail://u:sesame@h"}, "MAIL_URL: Give smtps://… or smtp://…"),
        ({"MAIL_URL": "smtp-plain://u:sesame@h"}, "MAIL_URL: smtp-plain sends no"),
        ({"MAIL_URL": "smtp://u:sesame@h:99999"}, "MAIL_URL: Give smtps://…"),
        ({"MAIL_FROM": "ada"}, "MAIL_FROM: 'ada' is no address"),
        ({"MAIL_TO": "a@b.example, c\r\nd@e"}, "MAIL_TO: 'c\\r\\nd@e' is no address"),
    ],
)
def test_a_wrong_setting_is_told_without_its_value(commands, env, lacking):
    given = {f"GATEWAY_NOTIFY_{name}": value for name, value in env.items()}
    done = commands("keys", "list", **given)
    assert (done.status, f"GATEWAY_NOTIFY_{lacking}" in done.err) == (2, True), done.err
    assert "sesame" not in done.err + done.out


def test_settings_show_none_of_them(monkeypatch):
    for name, value in {**WEBHOOK, **MAIL}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEWAY_NOTIFY_NTFY_URL", "https://ntfy.sh/sesame")
    monkeypatch.setenv("GATEWAY_NOTIFY_MAIL_URL", "smtps://u:sesame@h")
    settings = Settings.from_env(dotenv=os.devnull)
    assert settings.notify_mail_to == ("ada@example.com", "grace@example.org")
    assert "sesame" not in repr(settings)
    assert SECRET not in repr(replace(settings, notify_ntfy_token=Secret("x")))
