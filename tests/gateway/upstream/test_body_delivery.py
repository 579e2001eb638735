"""A body handed to a sink: in order, no faster than it takes, to its end."""

import asyncio

import pytest

from gateway.protocol.http_framing import framing_of
from gateway.protocol.local_failures import stream_silent
from gateway.upstream import UpstreamFault
from gateway.upstream.body import HIGH_WATER_BYTES, Body, BrokenAnswer

LENGTH = {"content-length": "9"}


class Source:
    """Where it comes from: whether it is read, and how it was left."""

    is_read = True
    left = None

    def pause(self):
        self.is_read = False

    def resume(self):
        self.is_read = True

    def close(self):
        self.left = "closed"

    def finish(self, *, has_surplus):
        self.left = "with more" if has_surplus else "whole"


class Sink:
    """Takes pieces; `waiting` is what it has the next one wait for."""

    def __init__(self):
        self.taken = []
        self.waiting = None

    def __call__(self, piece):
        self.taken.append(piece)
        return self.waiting


def delivering(headers=LENGTH):
    source, sink = Source(), Sink()
    body = Body(source, framing_of(200, headers))
    return body, source, sink, body.deliver_to(sink, ValueError)


async def settled():
    for _ in range(3):
        await asyncio.sleep(0)


def run(scenario):
    return asyncio.run(scenario())


def test_pieces_are_handed_over_as_they_come():
    async def scenario():
        body, source, sink, delivery = delivering()
        body.feed(b"abc")
        delivery.deliver()
        body.feed(b"def")
        assert not delivery.ended.done()
        body.feed(b"ghi")
        assert delivery.ended.result() is None
        assert (sink.taken, source.left) == ([b"abc", b"def", b"ghi"], "whole")

    run(scenario)


def test_a_sink_that_has_enough_is_given_no_more_until_it_has_room():
    async def scenario():
        body, source, sink, delivery = delivering()
        sink.waiting = asyncio.get_running_loop().create_future()
        body.feed(b"abc")
        assert (delivery.is_full, source.is_read) == (True, False)
        body.feed(b"def")
        body.feed(b"ghi")
        assert sink.taken == [b"abc"]
        assert not delivery.ended.done()
        room, sink.waiting = sink.waiting, None
        room.set_result(None)
        await settled()
        assert sink.taken == [b"abc", b"defghi"]
        assert not delivery.is_full
        assert delivery.ended.result() is None

    run(scenario)


@pytest.mark.parametrize(
    "leave", [lambda room: room.cancel(), lambda room: room.set_exception(OSError())]
)
def test_a_client_that_left_is_given_no_more(leave):
    async def scenario():
        body, _, sink, delivery = delivering()
        sink.waiting = asyncio.get_running_loop().create_future()
        body.feed(b"abc")
        body.feed(b"def")
        leave(sink.waiting)
        await settled()
        assert sink.taken == [b"abc"]
        assert not delivery.ended.done()  # its handler ends the exchange
        delivery.stop()

    run(scenario)


@pytest.mark.parametrize(
    "error", [OSError("gone"), ValueError("odd"), UpstreamFault(stream_silent())]
)
def test_what_the_sink_raises_ends_the_delivery(error):
    def refuse(piece):
        raise error

    async def scenario():
        body = Body(Source(), framing_of(200, LENGTH))
        delivery = body.deliver_to(refuse, ValueError)
        body.feed(b"abc")
        assert delivery.ended.exception() is error

    run(scenario)


def test_a_broken_end_is_told_in_the_words_of_the_caller():
    async def scenario():
        body, source, sink, delivery = delivering()
        body.feed(b"abc")
        body.lose(BrokenAnswer("gone"))
        assert isinstance(delivery.ended.exception(), ValueError)
        assert (sink.taken, source.left) == ([b"abc"], "closed")

    run(scenario)


def test_a_body_without_an_end_is_given_up_after_its_last_event():
    async def scenario():
        body, _, sink, delivery = delivering({})
        body.feed(b"abc")
        delivery.end_within(0.01)
        delivery.end_within(60)  # the first counts
        await asyncio.wait_for(delivery.ended, 5)
        body.feed(b"late")
        assert sink.taken == [b"abc"]
        assert body.has_more

    run(scenario)


def test_a_stopped_delivery_hands_nothing_over_and_is_done():
    async def scenario():
        body, _, sink, delivery = delivering()
        body.feed(b"abc")
        delivery.stop()
        delivery.stop()
        reading = asyncio.create_task(body.read())
        await settled()
        body.feed(b"defghi")
        assert await asyncio.wait_for(reading, 5) == b"defghi"
        assert sink.taken == [b"abc"]
        assert delivery.ended.cancelled()

    run(scenario)


def test_what_nobody_takes_is_held_up_to_a_mark():
    async def scenario():
        source = Source()
        body = Body(source, framing_of(200, {}))
        body.feed(b"x" * HIGH_WATER_BYTES)
        assert source.is_read
        body.feed(b"y")
        assert not source.is_read
        assert len(await body.read()) == HIGH_WATER_BYTES + 1
        assert source.is_read
        body.feed(b"z")
        assert source.is_read

    run(scenario)
