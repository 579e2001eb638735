"""Upstream connections that bring much, beside one that brings little."""

import asyncio
import dataclasses
import os
from contextlib import asynccontextmanager

import pytest

from gateway.settings import Settings
from gateway.upstream.fair_reading import PORTION_BYTES, FairReading, ReadingControl
from gateway.upstream.http import UpstreamHttp

SETTINGS = Settings.from_env(dotenv=os.devnull)
MEBIBYTE = 1 << 20


class Transport(asyncio.Transport):
    """One that is only told what to do."""

    def __init__(self):
        super().__init__()
        self.is_reading_now = True
        self.is_closed = False

    def is_closing(self):
        return self.is_closed

    def pause_reading(self):
        assert not self.is_closed
        self.is_reading_now = False

    def resume_reading(self):
        assert not self.is_closed
        self.is_reading_now = True


def controls(number):
    order = FairReading()
    return [ReadingControl(Transport(), order) for _ in range(number)]


def reading(controls):
    return [one._transport.is_reading_now for one in controls]


async def loop_turn():
    await asyncio.sleep(0)


@pytest.mark.gen_test
async def test_who_brought_a_portion_waits_for_those_before():
    three = controls(3)
    for one in three:
        one.count(PORTION_BYTES - 1)
    assert reading(three) == [True] * 3
    for one in three:
        one.count(1)
    assert reading(three) == [False] * 3
    seen = []
    for _ in range(3):
        await loop_turn()
        seen.append(reading(three))
    assert seen == [[True, False, False], [True, True, False], [True] * 3]


@pytest.mark.gen_test
async def test_whose_turn_comes_waits_on_for_a_reader_that_has_enough():
    [one] = controls(1)
    one.count(PORTION_BYTES)
    one.pause()
    await loop_turn()
    assert reading([one]) == [False]
    one.resume()
    assert reading([one]) == [True]
    one.count(PORTION_BYTES)
    one.pause()
    one.resume()  # its reader would go on, but it is not its turn
    assert reading([one]) == [False]
    await loop_turn()
    assert reading([one]) == [True]


@pytest.mark.gen_test
async def test_one_that_closed_meanwhile_is_left_alone():
    two = controls(2)
    for one in two:
        one.count(PORTION_BYTES)
    two[0]._transport.is_closed = True
    two[0].pause()
    await loop_turn()
    await loop_turn()
    assert reading(two) == [False, True]
    two[0].count(PORTION_BYTES)
    assert reading(two) == [False, True]


@asynccontextmanager
async def serving(pieces, size):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for piece in pieces():
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/codex/responses"
    server.close()


@pytest.mark.gen_test
async def test_large_answers_at_once_come_whole():
    size = 16 * MEBIBYTE
    piece = bytes(range(256)) * 4096
    settings = dataclasses.replace(SETTINGS, first_event_timeout=5.0)
    async with (
        serving(lambda: [piece] * 16, size) as url,
        UpstreamHttp(settings) as http,
    ):

        async def ask():
            answer = await http.send(url, {}, b"{}")
            brought = largest = 0
            while came := await answer.read("stream"):
                brought += len(came)
                largest = max(largest, len(came))
            answer.close()
            return brought, largest

        for brought, largest in await asyncio.gather(*(ask() for _ in range(8))):
            assert brought == size
            assert largest < MEBIBYTE
