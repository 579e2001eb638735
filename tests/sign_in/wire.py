"""The network between a client and the gateway: it notes forms, and loses answers."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs

_FORM = re.compile(rb"POST (/oauth/\S+) .*?\r\n\r\n(.*)", re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ERROR = re.compile(rb'"error":\s*"(\w+)"')
REFUSED = "refused"  # nobody listened
_EXPIRES_IN = re.compile(rb'("expires_in":\s*)600')
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def is_cut(sent):
    """Whether the rest of a form is still to come: clients send the head by itself."""
    head, found, body = sent.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return sent.startswith(b"POST /oauth/") and (
        not found or (length is not None and len(body) < int(length[1]))
    )


def form_of(sent):
    """The grant of a form, or the path of one that has none; None: it is no form."""
    found = _FORM.match(sent)
    if found is None:
        return None
    fields = parse_qs(found[2].decode())
    return fields.get("grant_type", [found[1].decode()])[0]


class Wire:
    """Passes bytes on.

    `forms`: what the authorization server was sent so far; `errors`: what it answered.
    `lifetime`: how long a token is good, as clients are told (seconds, two digits).
    """

    def __init__(self, port):
        self._port = port
        self.forms, self.errors = [], []
        self.lifetime = None
        self._to_lose = []
        self._passing = set()

    def lose(self, form):
        """The next answer to such a form does not arrive: the connection breaks."""
        self._to_lose.append(form)

    def lost_all(self):
        return not self._to_lose

    async def serve(self, reader, writer):
        self._passing.add(asyncio.current_task())
        try:
            gateway, to_gateway = await asyncio.open_connection("127.0.0.1", self._port)
        except ConnectionRefusedError:
            self.forms.append(REFUSED)
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as group:
                is_losing = asyncio.Event()
                group.create_task(self._up(reader, to_gateway, is_losing))
                group.create_task(self._down(gateway, writer, is_losing))
        except* ConnectionError:
            pass
        finally:
            for one in (writer, to_gateway):
                one.close()
                with suppress(ConnectionError):
                    await one.wait_closed()

    async def stop(self):
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _up(self, reader, writer, is_losing):
        while sent := await reader.read(65536):
            while is_cut(sent) and (more := await reader.read(65536)):
                sent += more
            if form := form_of(sent):
                self.forms.append(form)
                if form in self._to_lose:
                    self._to_lose.remove(form)
                    is_losing.set()
            writer.write(sent)
            await writer.drain()
        writer.write_eof()

    async def _down(self, reader, writer, is_losing):
        while given := await reader.read(65536):
            if is_losing.is_set():
                raise ConnectionResetError
            self.errors += [code.decode() for code in _ERROR.findall(given)]
            if self.lifetime is not None:
                given = _EXPIRES_IN.sub(rb"\1 %d" % self.lifetime, given)
            writer.write(given)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def wire_to(port):
    """The Wire to the gateway at a port, and its `url` over it."""
    made = Wire(port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await made.stop()
