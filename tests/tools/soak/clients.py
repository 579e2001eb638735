"""Who has the conversations of a soak, and how."""

import asyncio
import itertools
import random
import time
from dataclasses import dataclass

import aiohttp

from tests.tools.soak.conversations import Conversation
from tests.tools.soak.shapes import new_thread
from tests.tools.soak.sockets import SocketConversation
from tests.tools.soak.tally import Tally

PROMPTS = (
    *("good morning", "demo:reasoning(deep)", "demo:tool(2; ls)", "demo:say(yes)"),
    *("demo:tool(5; make)", "demo:long(40)"),
)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a user works; seconds and shares."""

    thinking: tuple = (1.0, 12.0)  # between an answer and the next prompt
    prompts: tuple = (4, 12)  # then another conversation begins
    leaving: float = 0.02  # of all requests
    compacting: float = 0.1  # of all prompts


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client sends its requests, and as whom."""

    session: aiohttp.ClientSession
    url: str
    key: str  # "" where none is needed
    tally: Tally
    end: float  # monotonic; nobody begins anything after it

    @property
    def headers(self):
        return {"authorization": f"Bearer {self.key}"} if self.key else {}


async def keep_talking(place, number, seed, habits):
    """One conversation after another until the end, transports by turns."""
    rng = random.Random(f"{seed}-{number}")
    # All begin at once: the process never has to hold more than it does then, so that
    # what it holds later can be compared with its first minute.
    kinds = itertools.cycle((Conversation, SocketConversation))
    for kind in itertools.islice(kinds, number % 2, None):
        conversation = kind(place, new_thread(rng), rng, habits)
        place.tally.counts["conversations"] += 1
        try:
            for _ in range(rng.randint(*habits.prompts)):
                if time.monotonic() >= place.end:
                    return
                await conversation.prompt(rng.choice(PROMPTS))
                await asyncio.sleep(rng.uniform(*habits.thinking))
                if rng.random() < habits.compacting and time.monotonic() < place.end:
                    await conversation.compact()
        finally:
            await conversation.close()
