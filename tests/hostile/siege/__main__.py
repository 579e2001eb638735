"""The attackers' process: each line of its input is the port and key to attack next.

To a line it answers with one: what came of the attack before, by its name. `-` rests.
"""

import asyncio
import json
import os
import resource
from contextlib import suppress

import uvloop

from tests.hostile.siege.attackers import Target, besiege
from tests.tools.soak.upstream import standard_input, tell

NICENESS = 10


async def serve() -> None:
    lines = await standard_input()
    attack: asyncio.Task[None] | None = None
    target = Target(0, "")
    while line := await lines.readline():
        if attack is not None:
            if not attack.done():  # one that has failed raises below
                attack.cancel()
            with suppress(asyncio.CancelledError):
                await attack
        tell(target.met)
        target = Target(*json.loads(line))
        attack = asyncio.create_task(besiege(target)) if target.port else None


if __name__ == "__main__":
    os.nice(NICENESS)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(serve())
