"""Who follows the live page holds no process up, and comes back to the next one."""

import asyncio
from functools import partial

import aiohttp
import pytest

from tests.faults.restarting import RestartingProcess
from tests.serving import next_event
from tests.tools.bench.watchers import sign_in

pytestmark = [pytest.mark.dashboard, pytest.mark.gen_test(timeout=60)]

EVENTS = "/dashboard/live/events"


async def followed(session, process):
    """An open stream, once its first event is here."""
    while True:
        response = await session.get(process.url + EVENTS)
        if response.status == 200:
            break
        await asyncio.sleep(0.1)  # the session has been taken over by then
    assert await next_event(response) == b"retry: 1000\n\n"
    assert b"Turns running" in await next_event(response)
    return response


async def test_a_followed_page_comes_back_to_the_successor(start_process):
    process = await start_process(kind=RestartingProcess)
    loop = asyncio.get_running_loop()
    signing_in = partial(sign_in, process.folder / "data", process.port)
    cookie = await loop.run_in_executor(None, signing_in)
    headers = {"cookie": cookie, "sec-fetch-site": "same-origin"}
    async with aiohttp.ClientSession(headers=headers) as session:
        events = await followed(session, process)
        await process.restart()
        rest = await asyncio.wait_for(events.content.read(), 20)
        assert b"event: ended" not in rest  # upon which it would not come back
        again = await followed(session, process)
        old, _ = process.started
        assert await process.exit_of(old) == 0
        again.close()
