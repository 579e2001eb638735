"""Processes that follow each other, three in a row: what they send."""

import asyncio
import socket
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from gateway.cluster.peers import MAX_UNREAD_BYTES, RELOAD, PeerLink, Peers


class Process:
    """What of a gateway its peers hear of."""

    def __init__(self):
        self.reloads = asyncio.Queue()
        self.gone = []
        self.peers = Peers(self.reload, self.note_gone)

    async def reload(self):
        self.reloads.put_nowait("again")

    async def note_gone(self, member_id):
        self.gone.append(member_id)


async def succeed(old, new):
    """`new` follows `old`."""
    ours, theirs = socket.socketpair()
    to_new, to_old = await PeerLink.open(ours), await PeerLink.open(theirs)
    new.peers.follow(to_old)
    old.peers.listen(to_new)


@asynccontextmanager
async def row(count):
    processes = [Process() for _ in range(count)]
    for old, new in pairwise(processes):
        await succeed(old, new)
    yield processes
    for process in processes:
        process.peers.close()
    await asyncio.sleep(0.01)


async def until(fact):
    async with asyncio.timeout(5):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_a_reload_reaches_all_others_once():
    async def run():
        async with row(3) as processes:
            processes[2].peers.broadcast(RELOAD)
            for process in processes[:2]:
                await asyncio.wait_for(process.reloads.get(), 5)
            assert processes[2].reloads.empty()

    asyncio.run(run())


def test_who_is_linked_to_one_that_is_gone_hears_which_member_it_was():
    async def run():
        async with row(2) as (old, new):
            (link,) = new.peers._links
            link.member_id = 7
            old.peers.close()  # as a killed process does
            await asyncio.wait_for(new.peers.wait_for_predecessor(), 5)
            assert new.gone == [7]

    asyncio.run(run())


def test_only_who_has_a_predecessor_waits_for_it():
    async def run():
        async with row(3) as (first, second, third):
            await asyncio.wait_for(first.peers.wait_for_predecessor(), 1)
            waiting = asyncio.create_task(second.peers.wait_for_predecessor())
            third.peers.close()  # the successor's end is no end of waiting
            await until(lambda: len(second.peers._links) == 1)
            assert not waiting.done()
            first.peers.close()
            await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


@pytest.mark.gen_test
async def test_a_process_that_reads_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    process, link = Process(), await PeerLink.open(ours)
    process.peers.listen(link)
    with theirs:
        for _ in range(MAX_UNREAD_BYTES // 1_000_000 + 2):
            process.peers.broadcast(RELOAD, "x" * 1_000_000)
        await until(lambda: not process.peers._links)
