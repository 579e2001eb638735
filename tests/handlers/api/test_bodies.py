"""Request bodies: encodings, bounds, and what is read of whom."""

import asyncio
import gzip
import json
import zlib

import aiohttp
import pytest
import zstandard

from gateway.demo.events import ScriptedTurn
from handlers.bodies import BodilessHandler
from handlers.operations.not_found import NotFoundHandler
from handlers.routes import ROUTES, SOCKETS
from tests.serving import CODEX, payload

BODY = json.dumps(payload("packed " * 1000)).encode()


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODED = [
    ("zstd", zstandard.compress(BODY)),
    (None, zstandard.compress(BODY)),
    ("gzip", gzip.compress(BODY)),
    ("GZip", gzip.compress(BODY)),
    ("deflate", zlib.compress(BODY)),
    ("deflate", raw_deflate(BODY)),
    ("identity", BODY),
]


@pytest.mark.parametrize(("encoding", "packed"), ENCODED)
@pytest.mark.gen_test
async def test_a_packed_body_is_understood_and_sent_on_in_the_clear(
    serving, upstream, encoding, packed
):
    given = {"content-type": "application/json"}
    if encoding is not None:
        given["content-encoding"] = encoding
    answered = await serving.ask(CODEX, packed, headers=given)
    assert answered.status == 200
    (received,) = upstream.of()
    assert received.body == BODY
    assert "content-encoding" not in received.headers
    assert serving.gateway.body_budget.used == 0


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("zstd", b"not zstd"),
        ("zstd", zstandard.compress(BODY)[:-9]),
        (None, zstandard.compress(BODY)[:20]),
        ("gzip", gzip.compress(BODY)[:-9]),
        ("gzip", b"nope"),
        ("deflate", b"\xff\xff"),
        ("br", BODY),
        ("gzip, zstd", BODY),
    ],
)
@pytest.mark.gen_test
async def test_what_cannot_be_unpacked_is_refused(serving, upstream, encoding, packed):
    given = {} if encoding is None else {"content-encoding": encoding}
    answered = await serving.ask(CODEX, packed, headers=given)
    assert answered.status == 400
    assert answered.error["code"] == "invalid_request"
    assert answered.error["type"] == "invalid_request_error"
    assert upstream.of() == []
    assert serving.gateway.body_budget.used == 0


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.parametrize("encoding", ["zstd", "gzip", "deflate"])
@pytest.mark.gen_test
async def test_a_bomb_is_refused(serving, encoding):
    pack = {"zstd": zstandard.compress, "gzip": gzip.compress, "deflate": zlib.compress}
    bomb = pack[encoding](b"0" * 50_000_000)
    assert len(bomb) < 100_000
    answered = await serving.ask(CODEX, bomb, headers={"content-encoding": encoding})
    assert answered.status == 413
    assert answered.error["code"] == "payload_too_large"
    assert serving.gateway.body_budget.used == 0


@pytest.mark.settings(body_budget_bytes=1_000_000)
@pytest.mark.parametrize("encoding", ["zstd", "gzip", "deflate"])
@pytest.mark.gen_test
async def test_what_follows_a_packed_body_is_refused(serving, upstream, encoding):
    pack = {"zstd": zstandard.compress, "gzip": gzip.compress, "deflate": zlib.compress}
    body = pack[encoding](BODY) + b"and more"
    answered = await serving.ask(CODEX, body, headers={"content-encoding": encoding})
    assert answered.status == 400
    assert answered.error["code"] == "invalid_request"
    assert "something follows behind its end" in answered.error["message"]
    assert upstream.of() == []


@pytest.mark.gen_test
async def test_the_budget_is_free_while_the_answer_streams(serving, upstream):
    go_on = asyncio.Event()
    turn = ScriptedTurn().text("one two").completed()
    upstream.answer(*turn.events[:6], go_on, *turn.events[6:])
    async with serving.stream() as response:
        await response.content.readuntil(b"delta")
        assert serving.gateway.body_budget.used == 0
        go_on.set()
        await response.read()


@pytest.mark.gen_test
async def test_an_8_mib_body_passes(serving, upstream):
    body = payload("x" * (8 << 20))
    assert (await serving.ask(CODEX, body)).status == 200
    assert len(upstream.of()[0].body) > 8 << 20


@pytest.mark.gen_test
async def test_chunked_bodies_pass(serving, upstream):
    async def chunks():
        for start in range(0, len(BODY), 1000):
            yield BODY[start : start + 1000]

    assert (await serving.ask(CODEX, chunks())).status == 200
    assert upstream.of()[0].body == BODY


@pytest.mark.gen_test
async def test_expecting_clients_are_told_to_go_on(serving):
    answered = await serving.ask(expect100=True)
    assert answered.status == 200


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue", b" 100-CONTINUE"])
@pytest.mark.gen_test
async def test_the_word_to_go_on_is_understood_in_any_case(serving, expect):
    reader, writer = await serving.connect()
    body = json.dumps(payload()).encode()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: %b"
        b"\r\nConnection: close\r\n\r\n" % (CODEX.encode(), len(body), expect)
    )
    told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert told.startswith(b"HTTP/1.1 100 ")
    writer.write(body)
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


@pytest.mark.gen_test
async def test_a_key_is_asked_for_before_the_body(serving):
    await serving.add_key()
    reader, writer = await serving.connect()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
        b"Expect: 100-continue\r\n\r\n" % CODEX.encode()
    )
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 2)
    assert b"invalid_api_key" in await reader.read()
    writer.close()


def test_no_handler_lets_the_server_collect_a_body():
    """The server itself has no limit: each handler takes the pieces and counts."""
    for _, handler, _ in (*ROUTES, *SOCKETS, (None, NotFoundHandler, None)):
        assert issubclass(handler, BodilessHandler)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"model":"m","instructions":"","input":' + b"[" * 100_000 + b"]" * 100_000,
        b"\xff\xfe" + b"0" * 1000,
    ],
    ids=["unclosed", "deep", "no utf-8"],
)
@pytest.mark.gen_test
async def test_hostile_json_is_refused_at_once(serving, body):
    answered = await serving.ask(CODEX, body)
    assert answered.status in (400, 413)
    assert answered.error["type"] == "invalid_request_error"


@pytest.mark.gen_test
async def test_header_blocks_beyond_all_bounds_end_the_connection(serving):
    with pytest.raises(aiohttp.ClientError):
        await serving.ask(headers={"x-long": "x" * 200_000})
