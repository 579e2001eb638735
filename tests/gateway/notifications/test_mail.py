"""Mails on a real socket: TLS or not at all, passwords, refusals, the egress proxy."""

import asyncio
import os
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from gateway.notifications.channels import send_in_time
from gateway.notifications.mail import Mail
from gateway.notifications.notice import ChannelFailed, Notice
from gateway.secret import Secret
from gateway.settings import Settings
from tests.certificates import certificate
from tests.egress_proxy import EgressProxy
from tests.gateway.notifications.receivers import MailServer

pytestmark = pytest.mark.gen_test
TEXT = "One line.\n.a dot begins this one\n..two\nZoë ends it."
NOTICE = Notice("msg_1", "key.limit", "7", 80, "Key Zoë: 80 %", TEXT, {}, 1e9)
PASSWORD = "gehe:im@ß"
LOGIN = "ada:gehe%3Aim%40%C3%9F@"


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """A server's context, which clients trust."""
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@asynccontextmanager
async def mail_server(**options):
    server = await MailServer(**options).start()
    yield server
    await server.stop()


def channel(url, **changes):
    settings = Settings.from_env(dotenv=os.devnull)
    people = {
        "notify_mail_from": "gateway@example.com",
        "notify_mail_to": ("ada@example.com", "grace@example.org"),
    }
    return Mail(replace(settings, notify_mail_url=Secret(url), **people, **changes))


async def failure(mail):
    with pytest.raises(ChannelFailed) as failed:
        await send_in_time(mail, NOTICE)
    assert PASSWORD not in str(failed.value)
    return str(failed.value)


async def test_starttls_then_a_password_then_the_mail(tls):
    async with mail_server(tls=tls) as server:
        mail = channel(f"smtp://{LOGIN}127.0.0.1:{server.port}")
        assert await send_in_time(mail, NOTICE) == "taken"
        sender, people, raw = server.mails.get_nowait()
    assert server.credentials == [["ada", PASSWORD]]
    assert server.commands[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    assert (sender, people) == (
        "gateway@example.com",
        ["ada@example.com", "grace@example.org"],
    )
    message = message_from_bytes(raw, policy=policy.default)
    assert message["subject"] == "Codex Gateway: Key Zoë: 80 %"
    assert message["to"] == "ada@example.com, grace@example.org"
    assert message["message-id"] == "<msg_1@example.com>"
    assert message["auto-submitted"] == "auto-generated"
    assert message.get_content().splitlines() == TEXT.splitlines()


@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?q?a=0D=0ABcc=3A_eve=40example.com?=",
        "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ0KDQpoaQ==?=",
        "==?utf-8?q?=0A?=?utf-8?q?=0A?=",
    ],
)
async def test_an_encoded_word_in_a_name_adds_no_header(name):
    async with mail_server() as server:
        notice = replace(NOTICE, title=f"Key {name}: 80 %")
        await send_in_time(channel(f"smtp-plain://127.0.0.1:{server.port}"), notice)
        _, _, raw = server.mails.get_nowait()
    message = message_from_bytes(raw, policy=policy.default)
    assert (message["bcc"], message.defects) == (None, [])
    shown = name.replace("=?", "= ?")
    assert message["subject"] == f"Codex Gateway: Key {shown}: 80 %"
    assert message.get_content().splitlines() == TEXT.splitlines()


async def test_tls_from_the_start_and_the_other_way_to_sign_in(tls):
    async with mail_server(tls=tls, is_tls_from_start=True, auth="LOGIN") as server:
        mail = channel(f"smtps://{LOGIN}127.0.0.1:{server.port}")
        assert await send_in_time(mail, NOTICE) == "taken"
    assert server.credentials == [["ada", PASSWORD]]


async def test_a_server_of_ones_own_may_be_without_tls():
    async with mail_server(auth="") as server:
        mail = channel(f"smtp-plain://127.0.0.1:{server.port}")
        plain = replace(NOTICE, text=".only a dot")
        assert await send_in_time(mail, plain) == "taken"
        raw = server.mails.get_nowait()[2]
    assert raw.endswith(b"\r\n\r\n.only a dot")


async def test_nothing_is_sent_in_the_clear_where_tls_is_wanted():
    async with mail_server() as server:
        told = await failure(channel(f"smtp://{LOGIN}127.0.0.1:{server.port}"))
    assert told == "the server offers no STARTTLS"
    assert server.commands == ["EHLO"]


async def test_a_certificate_that_nobody_vouches_for_ends_it(tls, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    async with mail_server(tls=tls) as server:
        told = await failure(channel(f"smtp://{LOGIN}127.0.0.1:{server.port}"))
    assert told == "TLS failed (CERTIFICATE_VERIFY_FAILED)"
    assert server.credentials == []


async def test_what_came_in_the_clear_is_no_answer_inside_tls(tls):
    """RFC 3207, section 6: somebody in between may have sent it."""
    injected = b"250-evil.example\r\n250 AUTH EVIL\r\n"
    async with mail_server(tls=tls, injects=injected) as server:
        mail = channel(f"smtp://{LOGIN}127.0.0.1:{server.port}")
        told = await asyncio.gather(send_in_time(mail, NOTICE), return_exceptions=True)
    assert told == ["taken"] or "TLS" in str(told[0])
    assert server.credentials in ([], [["ada", PASSWORD]])


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("AUTH", "AUTH: the server says '550'"),
        ("MAIL", "MAIL: the server says '550'"),
        ("RCPT TO:<GRACE", "RCPT: the server says '550'"),
        ("DATA", "DATA: the server says '550'"),
    ],
)
async def test_a_refusal_names_the_command_and_no_secret(tls, command, told):
    async with mail_server(tls=tls, refuses=command) as server:
        assert await failure(channel(f"smtp://{LOGIN}127.0.0.1:{server.port}")) == told
        assert server.mails.empty()


async def test_a_server_that_breaks_off_or_speaks_no_end_is_told(io_loop):
    said = [b"", b"220-on\r\n" * 200, b"\xff" * 70_000]

    async def serve(reader, writer):
        writer.write(said.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    told = [await failure(channel(f"smtp-plain://127.0.0.1:{port}")) for _ in range(3)]
    server.close()
    assert told[0] == told[2] == "the server broke off (greeting)"
    assert told[1] == "greeting: the server's reply has no end"
    told = await failure(channel(f"smtp-plain://127.0.0.1:{port}"))
    assert told == "no connection (Connection refused)"
    # Longer than one can be: no resolver is asked.
    for name in (".".join(["mail" * 9] * 6), "mail" * 20):
        told = await failure(channel(f"smtp-plain://{name}.invalid:{port}"))
        assert told == "its name is not found"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_it_goes_through_the_egress_proxy_and_never_past_it(tls, scheme):
    proxy = await EgressProxy().start()
    egress = {"egress_proxy": Secret(proxy.url(scheme))}
    async with mail_server(tls=tls) as server:
        url = f"smtp://{LOGIN}127.0.0.1:{server.port}"
        assert await send_in_time(channel(url, **egress), NOTICE) == "taken"
        await proxy.stop()
        told = await failure(channel(url, **egress))
    assert told == "The egress proxy cannot be reached"
    assert proxy.targets == [("127.0.0.1", server.port)]
