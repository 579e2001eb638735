"""A channel's queue: retries with an end, a bound, and rest once it is held."""

import asyncio
from dataclasses import replace

import pytest

from gateway.notifications.channel_queue import MOST_QUEUED, ChannelQueue
from gateway.notifications.notice import ChannelFailed, Notice

NOTICE = Notice("msg_1", "e", "s", 1, "title", "text", {}, 1e9)


class Channel:
    """Fails as often as it is told to."""

    name = "webhook"

    def __init__(self, failures=0):
        self.failures = failures
        self.sent = []

    async def send(self, notice):
        self.sent.append(notice.message_id)
        if self.failures:
            self.failures -= 1
            raise ChannelFailed(f"status {500 + self.failures}")
        return "status 204"


async def told(channel, *notices, pauses=(0.0, 0.0), until=None):
    """The outcomes of notices, until so many are settled for good."""
    queue, outcomes = ChannelQueue(channel, pauses), []
    done = asyncio.Event()
    left = until or len(notices)

    def note(outcome):
        outcomes.append(outcome)
        ends = [one for one in outcomes if one.kind != "failed"]
        if len(ends) >= left:
            done.set()

    queue.settled.subscribe(note)
    for notice in notices:
        queue.put(notice)
    running = asyncio.create_task(queue.run())
    await asyncio.wait_for(done.wait(), 20)
    running.cancel()
    return queue, outcomes


async def scenario_of(*arguments, **more):
    queue, outcomes = await told(*arguments, **more)
    return queue, [(one.kind, one.changes["answer"]) for one in outcomes]


def test_what_fails_is_tried_again_and_told_once():
    channel = Channel(failures=2)
    queue, outcomes = asyncio.run(scenario_of(channel, NOTICE))
    assert outcomes == [
        ("failed", "status 501"),
        ("failed", "status 500"),
        ("told", "status 204"),
    ]
    assert channel.sent == ["msg_1"] * 3
    assert (queue.trouble, queue.waiting) == ("", 0)


def test_the_tries_have_an_end():
    channel = Channel(failures=9)
    queue, outcomes = asyncio.run(scenario_of(channel, NOTICE))
    assert [kind for kind, _ in outcomes] == ["failed", "failed", "given_up"]
    assert len(channel.sent) == 3
    assert (queue.trouble, queue.waiting) == ("status 506", 0)


def test_one_that_fails_keeps_no_other_waiting():
    channel = Channel(failures=1)
    second = replace(NOTICE, message_id="msg_2")
    _, outcomes = asyncio.run(told(channel, NOTICE, second, pauses=(3600.0,), until=1))
    assert channel.sent == ["msg_1", "msg_2"]
    failed = outcomes[0].changes
    assert failed["next_at"] > 1_000 * (1e9 + 3600)
    assert (failed["attempts"], "told_at" in failed) == (1, False)
    assert outcomes[1].changes["next_at"] is None
    assert outcomes[1].changes["told_at"] > 1e12


def test_there_is_room_for_so_many_only():
    queue, outcomes = ChannelQueue(Channel()), []
    queue.settled.subscribe(outcomes.append)
    for number in range(MOST_QUEUED + 2):
        queue.put(replace(NOTICE, message_id=f"msg_{number}"))
    assert queue.waiting == MOST_QUEUED
    assert [(one.kind, one.notice.message_id) for one in outcomes] == [
        ("given_up", f"msg_{MOST_QUEUED}"),
        ("given_up", f"msg_{MOST_QUEUED + 1}"),
    ]


@pytest.mark.parametrize("is_held", [False, True])
def test_one_that_is_held_begins_nothing(is_held):
    async def scenario():
        channel = Channel()
        queue = ChannelQueue(channel)
        if is_held:
            queue.hold()
        queue.put(NOTICE)
        running = asyncio.create_task(queue.run())
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        return channel.sent

    assert asyncio.run(scenario()) == ([] if is_held else ["msg_1"])
