"""Blocks of a streamed body, as they reach a client that reads late."""

import asyncio

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from handlers.wire.raw_stream import ClientStream

# More than all kernels' buffers between the two take.
LARGE = b"x" * 20_000_000
BLOCKS = {
    "small": (b"a", b"b", b"c"),
    "large first": (LARGE, b"b"),
    "large later": (b"a", LARGE, b"c"),
}


class Streaming(RequestHandler):
    """Writes blocks one after the other; tells which of them had to wait."""

    def initialize(self, blocks, waits):
        self.blocks, self.waits = blocks, waits

    async def get(self):
        client = ClientStream(self)
        for block in self.blocks:
            waiting = client.write(block)
            self.waits.put_nowait(waiting is not None)
            if waiting is not None:
                await waiting


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.gen_test
async def test_who_writes_more_than_the_client_takes_is_told_to_wait(blocks, version):
    waits = asyncio.Queue()
    listening, port = bind_unused_port()
    server = HTTPServer(
        Application([("/", Streaming, {"blocks": blocks, "waits": waits})])
    )
    server.add_socket(listening)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(b"GET / HTTP/%b\r\nHost: x\r\nConnection: close\r\n\r\n" % version)
    for block in blocks:
        is_waiting = await asyncio.wait_for(waits.get(), 10)
        assert is_waiting == (block is LARGE)
        if is_waiting:
            break  # nothing more is written before the client has read
    assert waits.empty()
    answer = await asyncio.wait_for(reader.read(), 10)
    body = answer.partition(b"\r\n\r\n")[2]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in blocks)
    whole = b"".join(blocks) if version == b"1.0" else chunked + b"0\r\n\r\n"
    assert body == whole
    writer.close()
    server.stop()
