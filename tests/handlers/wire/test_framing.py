"""However upstream frames its answers: they come out whole, and connections live on."""

import asyncio
import re

import pytest

from tests.serving import CODEX, V1, payload

pytestmark = pytest.mark.accounts("one")

EVENTS = [
    b'event: %b\ndata: {"type":"%b"%b}\n\n' % (kind, kind, more)
    for kind, more in (
        (b"response.created", b',"response":{"id":"resp_1"}'),
        (b"response.output_text.delta", b',"delta":"hi"'),
        (b"response.completed", b',"response":{"id":"resp_1","status":"completed"}'),
    )
]
STREAM = b"".join(EVENTS)
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
SIZED = OK + b"content-length: %d\r\n\r\n" % len(STREAM)
CHUNKS = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS)
LAST = b"0\r\n\r\n"


class RawUpstream:
    """Answers each request with the next list of pieces, a write each."""

    def __init__(self):
        self.answers = []
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                if length:
                    await reader.readexactly(int(length[1]))
                if b"/responses" not in head.partition(b"\r\n")[0]:
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                    continue
                for piece in self.answers.pop(0):
                    if piece is None:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)  # a read of its own, as a rule
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
def raw(io_loop, serving):
    upstream = RawUpstream()

    async def start():
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await serving.restart(upstream_base_url=f"http://127.0.0.1:{port}/backend-api")
        return server

    server = io_loop.run_sync(start)
    yield upstream
    server.close()


async def answered(serving, raw, *pieces):
    """What the client got of an answer of these pieces, and from which connection."""
    raw.answers.append(pieces)
    answer = await serving.ask(CODEX, payload())
    assert answer.status == 200
    return answer.body


WHOLE = {
    "chunks": (CHUNKED + CHUNKS + LAST,),
    "a byte a piece": tuple(bytes([byte]) for byte in CHUNKED + CHUNKS + LAST),
    "one chunk for all": (CHUNKED, b"%x\r\n" % len(STREAM), STREAM, b"\r\n", LAST),
    "extensions and trailers": (
        CHUNKED,
        CHUNKS.replace(b"\r\n", b";a=b\r\n", 1),
        b"0\r\nx-trailer: 1\r\n\r\n",
    ),
    "a length": (SIZED, STREAM),
    "a length, all at once": (SIZED + STREAM,),
    "an interim answer": (
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        CHUNKED,
        CHUNKS,
        LAST,
    ),
    "two interim answers at once": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + CHUNKED,
        CHUNKS + LAST,
    ),
}


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE.keys())
@pytest.mark.gen_test(timeout=20)
async def test_a_whole_answer_leaves_its_connection_for_the_next(serving, raw, pieces):
    for _ in range(3):
        assert await answered(serving, raw, *pieces) == STREAM
    used = raw.connections
    assert await answered(serving, raw, *pieces) == STREAM
    assert raw.connections == used


ONCE = {
    "no framing": (OK + b"connection: close\r\n\r\n", STREAM, None),
    "no framing at all": (OK + b"\r\n" + STREAM, None),
    "a connection that is to close": (
        CHUNKED.replace(b"\r\n", b"\r\nconnection: close\r\n", 1),
        CHUNKS + LAST,
        None,
    ),
    "more than the body": (CHUNKED + CHUNKS + LAST + b"HTTP/1.1 200 OK\r\n\r\n",),
    "more than the length": (SIZED + STREAM + b"more",),
}


@pytest.mark.parametrize("pieces", ONCE.values(), ids=ONCE.keys())
@pytest.mark.gen_test(timeout=20)
async def test_a_connection_that_cannot_live_on_is_not_used_again(serving, raw, pieces):
    assert await answered(serving, raw, *pieces) == STREAM
    used = raw.connections
    assert await answered(serving, raw, *pieces) == STREAM
    assert raw.connections == used + 1


BROKEN = {
    "chunks without an end": (CHUNKED + CHUNKS[:-40], None),
    "less than the length": (SIZED + STREAM[:-10], None),
    "a chunk longer than it says": (
        CHUNKED + b"%x\r\n%b\r\n" % (len(STREAM) - 2, STREAM[:-2]) + b"1\r\nxy\r\n",
    ),
}


@pytest.mark.parametrize("pieces", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.gen_test(timeout=20)
async def test_a_broken_body_ends_with_an_event_that_says_so(serving, raw, pieces):
    body = await answered(serving, raw, *pieces)
    assert body.startswith(EVENTS[0])
    assert b"response.failed" in body
    assert b"stream_incomplete" in body
    # And the next turn is not its heir.
    assert await answered(serving, raw, *WHOLE["chunks"]) == STREAM


@pytest.mark.gen_test(timeout=20)
async def test_a_refusal_leaves_its_connection_for_the_repetition(serving, raw):
    refusal = b'{"error":{"code":"server_error","message":"sorry"}}'
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: %d\r\n\r\n"
    raw.answers.append((head % len(refusal), refusal))
    assert await answered(serving, raw, *WHOLE["chunks"]) == STREAM


@pytest.mark.gen_test(timeout=20)
async def test_a_folded_answer_comes_from_any_framing(serving, raw):
    for pieces in (WHOLE["chunks"], WHOLE["a length"], ONCE["no framing"]):
        raw.answers.append(pieces)
        answer = await serving.ask(V1, payload(stream=False))
        assert answer.status == 200
        assert answer.json["status"] == "completed"
