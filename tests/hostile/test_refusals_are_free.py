"""A refused request is free with its connection, whatever hangs on to it.

What stays in cycles waits for the collector, which runs seldom: at hundreds of refused
requests a second that is a gigabyte, and the loop stands still when it comes by.
"""

import asyncio
from contextlib import suppress

import pytest

from handlers.wire.arriving_heads import CountedStream
from tests.faults.test_cycles import watch, without_collector  # noqa: F401
from tests.hostile.bodies import of_strangers
from tests.hostile.claims import CLAIMS
from tests.hostile.smuggling import SMUGGLING
from tests.serving import until

pytestmark = [pytest.mark.hostile, pytest.mark.usefixtures("without_collector")]

SENT = {one.name: one.sent for one in (*CLAIMS, *SMUGGLING)} | {
    name: body.sent for name, body in of_strangers().items()
}
AT_A_TIME = 16
# Who is answered when the rest of a body does not come leaves before that.
ANSWER_SECONDS = 0.3
NAMES = list(SENT)
GROUPS = [NAMES[at : at + AT_A_TIME] for at in range(0, len(NAMES), AT_A_TIME)]


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
@pytest.mark.gen_test
async def test_each_is_free(serving, names):
    clients = [await serving.connect() for _ in names]
    await until(lambda: serving.server._http._open == len(clients))
    left = watch(CountedStream)
    for name, (reader, writer) in zip(names, clients, strict=True):
        writer.write(SENT[name])
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await reader.read(4096)
        writer.transport.abort()
    await until(lambda: not left)
