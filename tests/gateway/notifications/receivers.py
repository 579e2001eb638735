"""What notifications go to: a webhook's receiver, an ntfy server, a mail server."""

import asyncio
import base64
import json
from dataclasses import dataclass, field

from aiohttp import web

SECRET = "whsec_" + base64.b64encode(b"a secret of 32 bytes for webhooks").decode()


class Receiver:
    """Takes every POST; `answers` are the next statuses, then 204."""

    def __init__(self):
        self.answers = []
        self.received = asyncio.Queue()
        self.silence = asyncio.Event()
        self.silence.set()  # cleared: nothing is answered

    async def start(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def stop(self):
        self.silence.set()
        await self._runner.cleanup()

    async def _take(self, request):
        body = await request.read()
        await self.silence.wait()
        status = self.answers.pop(0) if self.answers else 204
        self.received.put_nowait((request, body))
        return web.Response(status=status, headers={"location": "/elsewhere"})

    async def next(self):
        """The next request and its JSON."""
        request, body = await asyncio.wait_for(self.received.get(), 20)
        return request, json.loads(body)

    async def event(self):
        """What the next webhook tells: its type and data."""
        told = (await self.next())[1]
        return told["type"], told["data"]


@dataclass
class MailServer:
    """SMTP on a real socket (RFC 5321); `mails` are (sender, people, message)."""

    tls: object = None  # a context: STARTTLS is offered
    is_tls_from_start: bool = False
    auth: str = "PLAIN LOGIN"
    refuses: str = ""  # the command that is answered 550
    injects: bytes = b""  # sent in the clear with the answer to STARTTLS
    mails: asyncio.Queue = field(default_factory=asyncio.Queue)
    commands: list = field(default_factory=list)
    credentials: list = field(default_factory=list)

    async def start(self):
        options = {"ssl": self.tls} if self.is_tls_from_start else {}
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **options)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self.server.close()

    async def _serve(self, reader, writer):
        try:
            await MailSession(self, reader, writer).run()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


class MailSession:
    """One connection to the mail server."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.is_secured = server.is_tls_from_start
        self.sender, self.people = None, []

    def say(self, *lines):
        self.writer.write(b"".join(line.encode() + b"\r\n" for line in lines))

    async def read(self):
        return (await self.reader.readuntil(b"\r\n"))[:-2]

    async def run(self):
        server = self.server
        self.say("220 mail.example ESMTP")
        verb = ""
        while verb != "QUIT":
            line = (await self.read()).decode("ascii")
            verb = line.upper().split()[0]
            server.commands.append(verb)
            if server.refuses and line.upper().startswith(server.refuses):
                self.say("550 no")
            else:
                await getattr(self, verb.lower())(line)

    async def ehlo(self, line):
        server = self.server
        offers = [f"AUTH {server.auth}"] if server.auth else []
        if server.tls and not self.is_secured:
            offers.append("STARTTLS")
        self.say("250-mail.example", *(f"250-{one}" for one in offers), "250 8BITMIME")

    async def starttls(self, line):
        self.writer.write(b"220 go on\r\n" + self.server.injects)
        await self.writer.drain()
        await self.writer.start_tls(self.server.tls)
        self.is_secured = True

    async def auth(self, line):
        _, how, *told = line.split()
        if how.upper() == "PLAIN":
            given = decoded(told[0]).split("\0")[1:]
        else:
            self.say("334 VXNlcm5hbWU6")
            user = decoded(await self.read())
            self.say("334 UGFzc3dvcmQ6")
            given = [user, decoded(await self.read())]
        self.server.credentials.append(given)
        self.say("235 welcome")

    async def mail(self, line):
        self.sender = line.partition("<")[2].rstrip(">")
        self.say("250 ok")

    async def rcpt(self, line):
        self.people.append(line.partition("<")[2].rstrip(">"))
        self.say("250 ok")

    async def data(self, line):
        self.say("354 go on")
        lines = []
        while (got := await self.read()) != b".":
            lines.append(got.removeprefix(b"."))
        mail = (self.sender, self.people, b"\r\n".join(lines))
        self.server.mails.put_nowait(mail)
        self.say("250 taken")

    async def quit(self, line):
        self.say("221 bye")


def decoded(text):
    return base64.b64decode(text).decode()
