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
from tests.serving import CODEX, payload, until

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


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.parametrize("length", [1_048_577, 10**9, 10**15])
@pytest.mark.gen_test
async def test_a_body_that_says_it_is_too_large_is_not_read(serving, length):
    reader, writer = await serving.connect()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        % (CODEX.encode(), length)
    )
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 2)
    answer = await reader.readuntil(b"}}")
    assert b'"payload_too_large"' in answer
    writer.close()


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_a_body_that_turns_out_too_large_is_refused(serving, upstream):
    async def chunks():
        for _ in range(30):
            yield b"x" * 10_000

    answered = await serving.ask(CODEX, chunks())
    assert answered.status == 413
    assert answered.error["code"] == "payload_too_large"
    assert serving.gateway.body_budget.used == 0
    assert upstream.of() == []


@pytest.mark.settings(body_budget_bytes=100_000)
@pytest.mark.gen_test
async def test_all_bodies_being_read_share_one_budget(serving):
    async def slow():
        yield b"x" * 40_000
        await go_on.wait()

    go_on = asyncio.Event()
    first = asyncio.create_task(serving.ask(CODEX, slow()))
    await until(lambda: serving.gateway.body_budget.used >= 40_000)
    answered = await serving.ask(CODEX, b"y" * 20_000)
    assert answered.status == 503
    assert answered.error["code"] == "gateway_overloaded"
    assert "retry-after" in answered.headers
    go_on.set()
    assert (await first).status == 400
    assert serving.gateway.body_budget.used == 0


@pytest.mark.settings(body_budget_bytes=1_000_000)
@pytest.mark.gen_test
async def test_one_key_cannot_take_what_others_need(serving, upstream):
    tokens = [await serving.add_key(name) for name in ("hostile", "other")]
    hostile, other = ({"x-api-key": token} for token in tokens)

    async def unfinished():
        yield b"x" * 100_000
        await go_on.wait()

    go_on = asyncio.Event()
    held = [
        asyncio.create_task(serving.ask(CODEX, unfinished(), headers=hostile))
        for _ in range(10)
    ]
    await until(lambda: sum(one.done() for one in held) == 5)
    assert serving.gateway.body_budget.used == 500_000
    for _ in range(3):
        answered = await serving.ask(CODEX, payload("x" * 200_000), headers=other)
        assert answered.status == 200
    refused = [await one for one in held if one.done()]
    assert {one.status for one in refused} == {503}
    assert {one.error["code"] for one in refused} == {"gateway_overloaded"}
    go_on.set()
    await asyncio.gather(*held)
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


@pytest.mark.gen_test
async def test_who_sends_a_large_body_without_a_key_sees_the_refusal(serving):
    """Not a reset: the client would take the gateway for broken, and repeat."""
    await serving.add_key()
    for _ in range(5):
        answered = await serving.ask(CODEX, b"x" * 3_000_000)
        assert answered.status == 401
        assert answered.error["code"] == "invalid_api_key"


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_who_sends_too_much_sees_the_refusal(serving):
    for path in (CODEX, "/v1/nope"):
        answered = await serving.ask(path, b"x" * 3_000_000)
        assert answered.status == (413 if path == CODEX else 404)


CHUNKED = b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000)


@pytest.mark.settings(max_body_bytes=1_000_000)
@pytest.mark.parametrize(("path", "status"), [(CODEX, 413), ("/v1/nope", 404)])
@pytest.mark.parametrize("end", [b"", b"0\r\n\r\n"], ids=["going on", "ending"])
@pytest.mark.gen_test
async def test_who_sends_chunks_sees_the_refusal(serving, path, status, end):
    """They have no length; still what is under way finds a reader for a while."""
    reader, writer = await serving.connect()
    writer.write(CHUNKED % path.encode())
    for _ in range(50):
        writer.write(CHUNK)
    writer.write(end)
    answer = await asyncio.wait_for(reader.readuntil(b"}}"), 2)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close\r\n" in answer.lower()
    writer.close()


@pytest.mark.gen_test
async def test_what_is_dropped_has_a_bound(serving):
    """Who pours chunks without an end is cut off."""
    _, writer = await serving.connect()
    writer.write(CHUNKED % b"/v1/nope")

    poured = 0

    async def pour():
        nonlocal poured
        while True:
            writer.write(CHUNK)
            await writer.drain()
            poured += len(CHUNK)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(pour(), 4)
    assert poured < 300 << 20
    writer.close()


@pytest.mark.gen_test
async def test_who_sends_chunks_slowly_is_hung_up_on(serving):
    reader, writer = await serving.connect()
    writer.write(CHUNKED % b"/v1/nope" + CHUNK)
    assert (await asyncio.wait_for(reader.read(), 4)).endswith(b"}}")
    writer.close()


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
