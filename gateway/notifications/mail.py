"""Mail: an SMTP client (RFC 5321) of what a notice needs, on the egress's connections.

The standard library's blocks a thread for as long as a server likes, and knows no way
through the egress proxy.
"""

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Iterable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from yarl import URL

from gateway.notifications.notice import ChannelFailed, Notice
from gateway.settings import Settings
from gateway.upstream.egress import EgressProxyFailed, open_stream

# `smtp` begins in the clear and goes on only with STARTTLS; `smtp-plain` has no TLS,
# and sends no password.
PORTS = {"smtps": 465, "smtp": 587, "smtp-plain": 25}
_MOST_REPLY_LINES = 100
# Every line is ASCII: what a server offers need not be asked.
_POLICY = SMTP.clone(cte_type="7bit")


class Mail:
    """Sends a mail to some people by one server."""

    name = "mail"

    def __init__(self, settings: Settings) -> None:
        assert settings.notify_mail_url is not None
        url = URL(settings.notify_mail_url.reveal())
        self._settings = settings
        self._scheme = url.scheme
        self._user, self._password = url.user, url.password
        # The port is needed as a number; that of the scheme yarl does not know.
        host, port = url.host or "", url.explicit_port or PORTS[url.scheme]
        self._server = URL.build(scheme="smtp", host=host, port=port)
        self._tls = ssl.create_default_context()

    async def send(self, notice: Notice) -> str:
        settings = self._settings
        message = _message(notice, settings.notify_mail_from, settings.notify_mail_to)
        try:
            reader, transport = await open_stream(settings, self._server)
        except EgressProxyFailed as error:
            raise ChannelFailed(str(error)) from error
        except (OSError, UnicodeError) as error:
            raise ChannelFailed(_unreachable(error)) from error
        talk = _Conversation(reader, transport)
        try:
            await self._sign_in(talk)
            await self._hand_over(talk, message)
        except ssl.SSLError as error:
            raise ChannelFailed(f"TLS failed ({error.reason})") from error
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise ChannelFailed(f"the server broke off ({talk.step})") from error
        finally:
            talk.end()
        return "taken"

    async def _sign_in(self, talk: "_Conversation") -> None:
        host, name = self._server.host or "", _domain(self._settings.notify_mail_from)
        if self._scheme == "smtps":
            await talk.secure(self._tls, host)
        await talk.reply(220)
        offered = await talk.greet(name)
        if self._scheme == "smtp":
            if "STARTTLS" not in offered:
                raise ChannelFailed("the server offers no STARTTLS")
            await talk.ask("STARTTLS", 220)
            await talk.secure(self._tls, host)
            offered = await talk.greet(name)
        if self._user is not None:
            await self._authenticate(talk, offered)

    async def _authenticate(self, talk: "_Conversation", offered: set[str]) -> None:
        """PLAIN (RFC 4616), or LOGIN, which some servers have in its place."""
        user, password = self._user or "", self._password or ""
        if "AUTH PLAIN" in offered:
            told = _base64(f"\0{user}\0{password}")
            await talk.ask(f"AUTH PLAIN {told}", 235)
        elif "AUTH LOGIN" in offered:
            await talk.ask("AUTH LOGIN", 334)
            await talk.ask(_base64(user), 334, step="AUTH")
            await talk.ask(_base64(password), 235, step="AUTH")
        else:
            raise ChannelFailed("the server takes no password")

    async def _hand_over(self, talk: "_Conversation", message: bytes) -> None:
        await talk.ask(f"MAIL FROM:<{self._settings.notify_mail_from}>", 250)
        for address in self._settings.notify_mail_to:
            await talk.ask(f"RCPT TO:<{address}>", 250, 251)
        await talk.ask("DATA", 354)
        # A line that begins with a dot gets another (RFC 5321, section 4.5.2).
        await talk.ask(message.replace(b"\n.", b"\n..") + b".", 250, step="message")
        talk.quit()


class _Conversation:
    """Commands and replies on one connection, in the clear or inside TLS."""

    def __init__(
        self, reader: asyncio.StreamReader, transport: asyncio.Transport
    ) -> None:
        self._reader = reader
        self._transport = transport
        self.step = "greeting"  # for who is told why it failed

    async def secure(self, tls: ssl.SSLContext, host: str) -> None:
        """Go on inside TLS; what came before is forgotten (RFC 3207, section 4.2)."""
        self.step = "TLS"
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        secured = await asyncio.get_running_loop().start_tls(
            self._transport, protocol, tls, server_hostname=host
        )
        assert secured is not None
        protocol.connection_made(secured)
        self._reader, self._transport = reader, secured

    async def greet(self, name: str) -> set[str]:
        """What the server offers: "STARTTLS", "AUTH PLAIN", …"""
        offered = set()
        for line in await self.ask(f"EHLO {name}", 250):
            words = line.upper().replace("AUTH=", "AUTH ").split()
            offered |= {*words[:1], *(f"AUTH {word}" for word in words[1:])}
        return offered

    async def ask(
        self, command: str | bytes, *expected: int, step: str = ""
    ) -> list[str]:
        """The lines of the reply to a command. Raises ChannelFailed for another code.

        `step` is what an error calls it; its first word, if it is no secret.
        """
        line = command.encode("ascii") if isinstance(command, str) else command
        self.step = step or line.split()[0].decode()
        self.write(line)
        return await self.reply(*expected)

    async def reply(self, *expected: int) -> list[str]:
        """The lines of a reply, without its code."""
        lines: list[str] = []
        while len(lines) < _MOST_REPLY_LINES:
            line = (await self._reader.readuntil(b"\n")).decode("ascii", "replace")
            lines.append(line[4:].strip())
            if line[3:4] == "-":
                continue
            if line[:3] not in map(str, expected):
                raise ChannelFailed(f"{self.step}: the server says {line[:3]!a}")
            return lines
        raise ChannelFailed(f"{self.step}: the server's reply has no end")

    def write(self, line: bytes) -> None:
        self._transport.write(line + b"\r\n")

    def quit(self) -> None:
        """Say good-bye. Nobody waits for the answer: the mail is the server's."""
        self.step = "QUIT"
        self.write(b"QUIT")

    def end(self) -> None:
        """Close; at once, where the server may take nothing more."""
        if self.step == "QUIT":
            self._transport.close()
        else:
            self._transport.abort()


def _message(notice: Notice, sender: str, people: Iterable[str]) -> bytes:
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = ", ".join(people)
    # An encoded word (RFC 2047) in a name would be decoded here, line breaks included.
    title = notice.title.replace("=?", "= ?")
    message["Subject"] = f"Codex Gateway: {title}"
    message["Date"] = formatdate(notice.at)
    # The same at every attempt: mail servers know a second one by it.
    message["Message-ID"] = f"<{notice.message_id}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text)
    return message.as_bytes()


def _unreachable(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name is not found"
    # Of several addresses the error has no number.
    known = os.strerror(error.errno) if error.errno else "none of its addresses answers"
    return f"no connection ({known})"


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
