"""Conversations whose turns come to one process, then to another, without a hash."""

import asyncio
import itertools

import aiohttp
import pytest

from gateway.demo import faults
from gateway.repository.shared.bindings import UNCHANGED_SECONDS
from tests.cluster.test_members import (
    database_url,
    driver,
    make_gateway,
    rows,
    server,
    two,
)
from tests.operator.test_acting import key_in
from tests.serving import accounts, payload

__all__ = ["database_url", "driver", "make_gateway", "server", "two"]
pytestmark = [pytest.mark.cluster, pytest.mark.gen_test(timeout=90)]

CONVERSATIONS = [f"c{number}" for number in range(10)]


@pytest.fixture
def shared(two, io_loop, upstream):
    """Both gateways' URLs in turn, a shell, and a key; with two accounts."""
    one, other, shell, _ = two

    async def begin():
        path = upstream.add_account("two").write_auth_file(one.folder / "auth2")
        await shell.run("accounts", "import", path)
        await shell.run("strategy", "round_robin")
        return key_in(await shell.run("keys", "create", "k"))

    urls = itertools.cycle([one.url, other.url])
    return urls, shell, io_loop.run_sync(begin)


async def turn(url, key, name):
    """A turn over a connection of its own."""
    body = payload(prompt_cache_key=name)
    headers = {"x-api-key": key, "session-id": name}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}/v1/responses", json=body) as answer,
    ):
        assert answer.status == 200, await answer.read()
        await answer.read()


async def use_both_accounts(urls, key, upstream):
    """Until each gateway knows what the second account can, too."""
    used = {}
    for number, url in enumerate(urls):
        await turn(url, key, f"warm{number}")
        used.setdefault(url, set()).add(accounts(upstream)[-1])
        if [len(one) for one in used.values()] == [2, 2]:
            return


@pytest.mark.nightly
async def test_each_stays_on_its_account_wherever_its_turns_come(shared, upstream):
    urls, shell, key = shared
    await use_both_accounts(urls, key, upstream)
    for _ in range(3):
        for name, url in zip(CONVERSATIONS, urls, strict=False):
            await turn(url, key, name)
        next(urls)  # the other one is the first now
    by_name = {}
    for row in await rows(shell, "logs", "--limit", "100"):
        by_name.setdefault(row["conversation"], []).append(row["account"])
    often = [set(names) for names in by_name.values() if len(names) == 3]
    assert len(often) == len(CONVERSATIONS)
    assert {len(names) for names in often} == {1}
    # Else they would have shown nothing.
    assert len(set.union(*often)) == 2


async def test_a_move_at_one_is_followed_at_the_other(shared, upstream):
    urls, _, key = shared
    await turn(next(urls), key, "c")
    (home,) = accounts(upstream)
    upstream.answer(faults.usage_limit(), account=home)
    await turn(next(urls), key, "c")
    moved = accounts(upstream)[-1]
    assert moved != home
    # What the first one wrote itself it believes for so long.
    await asyncio.sleep(UNCHANGED_SECONDS)
    for _ in range(4):
        await turn(next(urls), key, "c")
        assert accounts(upstream)[-1] == moved
