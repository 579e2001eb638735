"""A small scripted proxy: CONNECT and SOCKS 5, with a user and a password."""

import asyncio
import base64
from dataclasses import dataclass, field
from urllib.parse import quote

USER, PASSWORD = "ada", "s€sam: öffne@dich"


@dataclass
class EgressProxy:
    """Leads on to any address of this machine; `targets` are what was asked for."""

    reply: bytes | None = None  # in place of the tunnel, b"" for silence
    in_pieces: bool = False
    is_open: bool = False  # to anybody
    targets: list = field(default_factory=list)
    refused: int = 0  # for wrong credentials
    tasks: set = field(default_factory=set)

    async def start(self, **options):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **options)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def url(self, scheme="http", *, password=PASSWORD):
        return f"{scheme}://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    async def stop(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            first = await reader.readexactly(1)
            target = await (self._socks if first == b"\5" else self._http)(
                reader, writer
            )
            if target is not None:
                await self._join(reader, writer, *target)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _say(self, writer, reply):
        for piece in [reply[:9], reply[9:]] if self.in_pieces else [reply]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01 if self.in_pieces else 0)

    async def _http(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        host, _, port = lines[0].split()[1].rpartition(":")
        self.targets.append((host.strip("[]"), int(port)))
        named = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        is_known = f"Proxy-Authorization: Basic {named}" in lines
        assert not (self.is_open and "Proxy-Authorization" in head)
        if not (self.is_open or is_known):
            self.refused += 1
            await self._say(writer, b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
        elif self.reply is not None:
            await self._say(writer, self.reply)
            await reader.read()
        else:
            await self._say(writer, b"HTTP/1.1 200 Yes\r\nVia: test\r\n\r\n")
            return self.targets[-1]
        return None

    async def _socks(self, reader, writer):
        count = (await reader.readexactly(1))[0]
        methods = await reader.readexactly(count)
        assert (2 in methods) is not self.is_open
        writer.write(b"\5\0" if self.is_open else b"\5\2")
        if not self.is_open:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            if (user.decode(), password.decode()) != (USER, PASSWORD):
                self.refused += 1
                writer.write(b"\1\1")
                return None
            writer.write(b"\1\0")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 1:
            host = ".".join(map(str, await reader.readexactly(4)))
        else:
            size = (await reader.readexactly(1))[0]
            host = (await reader.readexactly(size)).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.targets.append((host, port))
        if self.reply is not None:
            await self._say(writer, self.reply)
            await reader.read()
            return None
        await self._say(writer, b"\5\0\0\3\4name\0\0")
        return host, port

    async def _join(self, reader, writer, host, port):
        """Names ending in .test are this machine's."""
        host = "127.0.0.1" if host.endswith(".test") else host
        other_reader, other_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))


async def _copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
