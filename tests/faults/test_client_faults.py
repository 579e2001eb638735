"""Everything a client may do wrong: bounds, and nothing left behind."""

import asyncio
import json

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.faults.raw import BODY, HEAD, LENGTH, still_serves
from tests.serving import CODEX, V1, payload, until

TURN = ScriptedTurn().text("one two three").completed()

# Who leaves, and when.

PARTS = {
    "inside the request line": b"POST /backend-api/co",
    "inside the headers": HEAD + b"Content-Le",
    "before the body": HEAD + LENGTH,
    "inside the body": HEAD + LENGTH + BODY[:100],
    "inside a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
    "waiting to go on": HEAD + b"Expect: 100-continue\r\n" + LENGTH,
}


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.gen_test
async def test_leaving_while_the_request_is_on_its_way(
    serving, upstream, at_rest, name, reset
):
    _, writer = await serving.connect()
    writer.write(PARTS[name])
    await writer.drain()
    await still_serves(serving)  # in the meantime the parts have arrived
    if reset:
        writer.transport.abort()
    else:
        writer.close()
    await at_rest()
    assert len(upstream.of()) == 1


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_leaving_while_waiting_for_an_account(serving, upstream, at_rest):
    account = await serving.add_account("one")
    serving.account(account.name).concurrency = 1
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    first = asyncio.create_task(serving.ask())
    await upstream.arrived()
    _, writer = await serving.connect()
    writer.write(HEAD + LENGTH + BODY)
    await until(lambda: serving.gateway.pool.waiting)
    writer.close()
    await until(lambda: not serving.gateway.pool.waiting)
    gate.set()
    assert (await first).status == 200
    await at_rest()
    assert [row["status"] for row in await serving.rows(2)] == [
        "interrupted",
        "success",
    ]


@pytest.mark.gen_test
async def test_leaving_while_an_answer_is_folded(serving, upstream, at_rest):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    _, writer = await serving.connect()
    body = json.dumps(payload(stream=False)).encode()
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n" % V1.encode()
    writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    received = await upstream.arrived()
    writer.close()
    await asyncio.wait_for(received.closed.wait(), 30)
    await at_rest()


# Who sends what is no request.

MALFORMED = {
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a bad method": b"P\xc3ST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /health\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"POST %b HTTP/1.1\r\n" % CODEX.encode() + LENGTH + BODY,
    "two hosts": HEAD + b"Host: elsewhere\r\n" + LENGTH + BODY,
    "a header without a colon": HEAD + b"no colon here\r\n" + LENGTH + BODY,
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "a NUL in a header": HEAD + b"X-Nul: a\0b\r\n" + LENGTH + BODY,
    "a line folded": HEAD + b"X-Folded: a\r\n b\r\n" + LENGTH + BODY,
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a hexadecimal length": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a list of lengths": HEAD + b"Content-Length: 5, 6\r\n\r\nhello",
    "a length and chunks": HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "an unknown coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked, hidden": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\nx\r\n",
    "a chunk with a bad size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
    "a negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
    "an endless chunk size": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"0" * 10_000,
    "a chunk longer than it says": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxxxx\r\n0\r\n\r\n",
    "headers without an end": HEAD + b"X-Many: of them\r\n" * 10_000,
    "a header without an end": HEAD + b"X-Long: " + b"x" * 200_000,
    "a path without an end": b"GET /" + b"a" * 200_000,
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.gen_test
async def test_what_is_no_request_is_not_served(serving, upstream, at_rest, name):
    reader, writer = await serving.connect()
    writer.write(MALFORMED[name])
    try:
        answer = await asyncio.wait_for(reader.read(), 3)
    except ConnectionError:
        answer = b""
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405")
    assert answer.count(b"HTTP/1.1 ") <= 1
    writer.close()
    await still_serves(serving)
    assert len(upstream.of()) == 1
    await at_rest()


LARGE_HEADS = {
    "many headers": HEAD + b"X-Many: of them\r\n" * 6_000 + LENGTH + BODY,
    "a long header": HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\n" + LENGTH + BODY,
    "a long path": b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a" * 100_000),
    "of an upgrade": HEAD.replace(b"POST", b"GET")
    + b"Upgrade: websocket\r\nX-Long: %b\r\n\r\n" % (b"x" * 100_000),
}


@pytest.mark.parametrize("name", LARGE_HEADS)
@pytest.mark.gen_test
async def test_a_head_that_is_too_large_is_told_so(serving, upstream, at_rest, name):
    reader, writer = await serving.connect()
    writer.write(LARGE_HEADS[name])
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
    assert head.startswith(b"HTTP/1.1 431 ")
    told = json.loads(await reader.read(10_000))["error"]
    assert told["code"] == "headers_too_large"
    assert (told["origin"], told["message"]) == (
        "client",
        "Request headers are larger than 64 KiB",
    )
    writer.close()
    await still_serves(serving)
    assert len(upstream.of()) == 1
    await at_rest()


@pytest.mark.gen_test
async def test_requests_sent_in_advance_are_served_in_order(serving, upstream, at_rest):
    reader, writer = await serving.connect()
    writer.write((HEAD + LENGTH + BODY) * 3)
    for _ in range(3):
        assert await reader.readuntil(b"HTTP/1.1 200 ")
        await reader.readuntil(b"event: response.completed")
    assert len(upstream.of()) == 3
    writer.close()
    await at_rest()


@pytest.mark.settings(keepalive_interval=0.1)
@pytest.mark.gen_test(timeout=20)
async def test_what_is_sent_in_advance_is_bounded(serving, upstream, at_rest):
    """While a turn runs, nobody reads its connection: memory must not fill up.

    That such a client has left shows when it is written to.
    """
    upstream.answer(*TURN.events[:6], asyncio.Event())
    reader, writer = await serving.connect()
    writer.write(HEAD + LENGTH + BODY)
    await reader.readuntil(b"output_text.delta")

    poured = 0

    async def pour():
        nonlocal poured
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            poured += 65536

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pour(), 0.5)
    assert poured < 16 << 20  # the kernel's buffers, and little more
    writer.transport.abort()
    await at_rest()


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_a_bomb_among_turns_costs_nobody_else(serving, upstream, at_rest):
    import zstandard

    bomb = zstandard.compress(b"0" * 50_000_000)
    calls = [
        serving.ask(CODEX, bomb, headers={"content-encoding": "zstd"})
        for _ in range(10)
    ]
    turns = [serving.ask() for _ in range(10)]
    answered = await asyncio.gather(*calls, *turns)
    assert [one.status for one in answered] == [413] * 10 + [200] * 10
    await at_rest()


@pytest.mark.gen_test
async def test_an_answer_nobody_waits_for_any_more_is_no_error(
    serving, upstream, at_rest, caplog
):
    for _ in range(20):
        upstream.answer(ScriptedResponse((*TURN.events,)))
        _, writer = await serving.connect()
        writer.write(HEAD + LENGTH + BODY)
        writer.close()
    await at_rest()
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
