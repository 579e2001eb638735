"""Bodies that are larger than one may send, announced or not."""

import asyncio

import pytest

from tests.serving import CODEX, payload, until


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
