"""Each event is told once: over a restart with two processes, and over a kill."""

import asyncio
import signal
import ssl
from email import message_from_bytes, policy

import aiohttp
import pytest

from tests.certificates import certificate
from tests.faults.restarting import RestartingProcess, held_turn, running_turns
from tests.gateway.notifications.receivers import SECRET, MailServer, Receiver
from tests.serving import CODEX, payload

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=60)]


class Told:
    """What came by webhook and by mail; each channel has what the other has."""

    def __init__(self, receiver, mails):
        self.receiver = receiver
        self.mails = mails

    async def title(self):
        """Of the next notice."""
        title = (await self.receiver.event())[1]["title"]
        _, _, raw = await asyncio.wait_for(self.mails.mails.get(), 20)
        subject = message_from_bytes(raw, policy=policy.default)["subject"]
        assert subject == f"Codex Gateway: {title}"
        return title

    @property
    def is_silent(self):
        return self.receiver.received.empty() and self.mails.mails.empty()


@pytest.fixture
def told(io_loop, tmp_path):
    """Receivers in the test's loop; mail over STARTTLS, with a password."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate(tmp_path))
    made = Told(Receiver(), MailServer(tls=tls))
    for server in (made.receiver, made.mails):
        io_loop.run_sync(server.start)
    yield made
    for server in (made.receiver, made.mails):
        io_loop.run_sync(server.stop)


@pytest.fixture
def start(start_process, told, tmp_path):
    class Trusting(RestartingProcess):
        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **settings)
            self.env["SSL_CERT_FILE"] = str(tmp_path / "server.pem")

    mail = f"smtp://ada:sesame@127.0.0.1:{told.mails.port}"
    return lambda: start_process(
        kind=Trusting,
        NOTIFY_WEBHOOK_URL=told.receiver.url,
        NOTIFY_WEBHOOK_SECRET=SECRET,
        NOTIFY_MAIL_URL=mail,
        NOTIFY_MAIL_FROM="gateway@example.com",
        NOTIFY_MAIL_TO="ada@example.com",
    )


async def test_two_processes_and_one_that_was_killed_tell_each_event_once(
    upstream, start, told
):
    process = await start()
    key = await process.create_key("bob", "--limit", "requests 10/7d")
    titles, gate, headers = [], asyncio.Event(), {"x-api-key": key}
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(7):
            assert await process.turn(session) == "response.completed"
        held_turn(upstream, gate)  # keeps the first process draining
        streamed = await session.post(process.url + CODEX, json=payload())
        await running_turns(session, process, 1)
        await process.restart()
        async with aiohttp.ClientSession(headers=headers) as other:
            assert await process.turn(other) == "response.completed"
        titles.append(await told.title())
        gate.set()
        await streamed.read()
    titles.append(await told.title())
    await process.exit_of(process.started[0])
    notices = await process.run("notify", "list", "--json")
    assert notices.count('"state": "told"') == 4
    process.signal(signal.SIGKILL)
    await process.exit_of(process.pid)
    await process.start()
    async with aiohttp.ClientSession(headers=headers) as session:
        # What was used is written twice a second: the last may be lost.
        while await process.turn(session) == "response.completed":
            pass
    titles.append(await told.title())
    assert titles == [f"Key bob: {percent} % used" for percent in (80, 90, 100)]
    await process.stop()
    assert told.is_silent
