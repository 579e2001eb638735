"""Webhooks that a foreign verifier takes, ntfy, and what is told when they fail."""

import asyncio
import base64
import hmac
import json
import os
import re
import socket
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from gateway.notifications.channels import Ntfy, Webhook, send_in_time
from gateway.notifications.notice import ChannelFailed, Notice
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.upstream.http import open_session
from tests.certificates import certificate
from tests.e2e.gateway_process import ROOT
from tests.egress_proxy import EgressProxy
from tests.gateway.notifications.receivers import SECRET

pytestmark = pytest.mark.gen_test
NOTICE = Notice(
    "msg_1", "key.limit", "7", 80, "Key Zoë: 80 %", "…used", {"percent": 80}, 1e9, True
)
TOPIC = "a-topic-nobody-guesses"


@asynccontextmanager
async def session_of(**changes):
    settings = replace(Settings.from_env(dotenv=os.devnull), **changes)
    async with open_session(settings) as session:
        yield session


def webhook(session, url):
    return Webhook(session, Secret(url), Secret(SECRET))


async def failure(channel, **more):
    with pytest.raises(ChannelFailed) as failed:
        await send_in_time(channel, NOTICE, **more)
    assert TOPIC not in str(failed.value)
    assert TOPIC not in repr(vars(channel))
    return str(failed.value)


async def test_a_webhook_is_signed_as_standard_webhooks_verifies(receiver):
    async with session_of() as session:
        answer = await send_in_time(webhook(session, receiver.url + "/hook"), NOTICE)
    request, body = await receiver.next()
    assert answer == "status 204"
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    raw = json.dumps(body, ensure_ascii=False)
    assert Verifier(SECRET).verify(raw, dict(request.headers)) == {
        "type": "key.limit",
        "timestamp": "2001-09-09T01:46:40Z",
        "data": {"title": "Key Zoë: 80 %", "text": "…used", "percent": 80},
    }
    for change in ({"webhook-id": "msg_2"}, {"webhook-timestamp": "1"}):
        with pytest.raises(WebhookVerificationError):
            Verifier(SECRET).verify(raw, dict(request.headers) | change)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(raw + " ", dict(request.headers))


async def test_the_documented_check_takes_it_and_nothing_else(receiver):
    document = (ROOT / "docs" / "operating.md").read_text()
    check = re.search(r"```python\n(key = .*?)```", document, re.DOTALL)[1]
    async with session_of() as session:
        await send_in_time(webhook(session, receiver.url), NOTICE)
    request, body = await receiver.next()
    names = ("id", "timestamp", "signature")
    given = {name: request.headers[f"webhook-{name}"] for name in names}
    given |= {"secret": SECRET, "body": json.dumps(body, ensure_ascii=False).encode()}
    modules = {"base64": base64, "hmac": hmac, "time": time}
    exec(check, given | modules)
    for change in ({"body": b"{}"}, {"id": "msg_2"}, {"timestamp": "1"}):
        with pytest.raises(AssertionError):
            exec(check, given | modules | change)


async def test_ntfy_gets_the_topic_of_the_url_and_the_token(receiver):
    url = Secret(f"{receiver.url}/below/{TOPIC}")
    async with session_of() as session:
        channel = Ntfy(session, url, Secret("tk_fake"))
        assert await send_in_time(channel, NOTICE) == "status 204"
        calm = replace(NOTICE, is_urgent=False)
        await send_in_time(Ntfy(session, url, None), calm)
    request, told = await receiver.next()
    assert request.path == "/below"
    assert request.headers["authorization"] == "Bearer tk_fake"
    assert told == {
        "topic": TOPIC,
        "title": "Key Zoë: 80 %",
        "message": "…used",
        "priority": 4,
    }
    request, told = await receiver.next()
    assert "authorization" not in request.headers
    assert told["priority"] == 3


@pytest.mark.parametrize("status", [302, 307, 400, 410, 500])
async def test_only_a_2xx_is_taken_and_no_redirect_is_followed(receiver, status):
    receiver.answers = [status]
    async with session_of() as session:
        assert await failure(webhook(session, receiver.url)) == f"status {status}"
    assert receiver.received.qsize() == 1


async def test_a_server_that_is_not_there_is_told_without_the_url():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/{TOPIC}"
        async with session_of() as session:
            told = await failure(webhook(session, url))
            assert told == "no connection (Connection refused)"
            told = await failure(Ntfy(session, Secret(url), None))
            assert told == "no connection (Connection refused)"


async def test_names_and_certificates_that_are_wrong_are_told(tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate(tmp_path))
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    name = ".".join(["hooks" * 9] * 6)  # longer than one can be: no resolver is asked
    async with session_of() as session:
        told = await failure(webhook(session, f"https://127.0.0.1:{port}/{TOPIC}"))
        assert told == "its certificate is not trusted"
        told = await failure(webhook(session, f"https://{name}.invalid/{TOPIC}"))
        assert told == "its name is not found"
    server.close()


async def test_a_server_that_is_silent_ends_at_the_deadline(receiver):
    receiver.silence.clear()
    async with session_of() as session:
        told = await failure(webhook(session, receiver.url), seconds=0.05)
    assert told == "no answer in time"


async def test_they_go_through_the_egress_proxy_and_never_past_it(receiver):
    proxy = await EgressProxy().start()
    async with session_of(egress_proxy=Secret(proxy.url())) as session:
        await send_in_time(webhook(session, receiver.url), NOTICE)
        await proxy.stop()
        told = await failure(webhook(session, f"{receiver.url}/{TOPIC}"))
    port = int(receiver.url.rpartition(":")[2])
    assert proxy.targets == [("127.0.0.1", port)]
    assert told == "The egress proxy cannot be reached"
    assert receiver.received.qsize() == 1
