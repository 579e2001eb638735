"""What attackers do: connections they keep, requests and bodies at a rate, and what the
holder of a key keeps going. All of it is data; the functions below only carry it out.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.faults.raw import frame
from tests.hostile.bodies import MCP, bombs, of_key, of_strangers, unfinished
from tests.hostile.bytes_of import CODEX, TURN, UPGRADE, length, send, turn
from tests.hostile.claims import CLAIMS
from tests.hostile.siege.script import FLOOD, WHOLE
from tests.hostile.smuggling import SMUGGLING
from tests.hostile.test_uncounted_turns import DISGUISES

REFUSED_A_SECOND = 300
BODIES_A_SECOND = 20
GREEDY = 20  # turns at a time of the hostile key, each followed by the next at once
FRAMES_A_SECOND = 10
BODY_SECONDS = 10.0  # that an attacker waits with his body for an answer
UNREAD_SECONDS = 20.0  # then he leaves, and comes back
PAUSE = 2.0  # of one whose connection was closed
PATIENCE = 30.0
LURE = b"127.0.0.1:9"  # where nobody listens

# Refused for what they claim or hide; the connection's end comes with the answer.
REFUSED = [
    one.sent.replace(b"LURE", LURE)
    for one in (*CLAIMS, *SMUGGLING)
    if one.direct.startswith("4")
]
SLOW_TURN = "demo:long(10)"
Rest = Callable[[asyncio.StreamReader], Awaitable[None]]


@dataclass(slots=True)
class Target:
    """A gateway, a key of it, and what came of what."""

    port: int
    key: str
    met: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def with_key(self) -> str:
        return f"X-Api-Key: {self.key}"

    def note(self, name: str, came: str) -> None:
        self.met.setdefault(name, Counter())[came] += 1


async def read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def read_nothing(reader: asyncio.StreamReader) -> None:
    await asyncio.Event().wait()


async def leave(reader: asyncio.StreamReader) -> None:
    """Once there is an answer."""


class Hoard(NamedTuple):
    """Connections of one kind that are kept open."""

    number: int
    sent: bytes
    rest: Rest = read_all  # what he does when there is an answer


def hoards(target: Target) -> dict[str, Hoard]:
    """Two thousand."""
    upgrade = send(f"GET {CODEX} HTTP/1.1", *UPGRADE, target.with_key)
    create = turn(FLOOD, type="response.create")
    part = b"x" * 300_000
    return {
        "says nothing": Hoard(600, b""),
        "half a head": Hoard(540, f"{TURN}\r\nHost: gateway".encode()),
        "strangers' side calls": Hoard(300, unfinished(MCP, 60_000)),
        "a key's sockets": Hoard(300, upgrade),
        "half a frame": Hoard(100, upgrade + frame(b"", length=1 << 20) + part),
        "fragments": Hoard(100, upgrade + frame(part, fin=False, mask=bytes(4))),
        "unread floods": Hoard(20, ask(target, turn(FLOOD)), rest=read_nothing),
        "unread frames": Hoard(20, upgrade + frame(create), rest=read_nothing),
        "unread documents": Hoard(
            20,
            ask(target, turn(WHOLE, stream=False), path="/v1/responses"),
            rest=read_nothing,
        ),
    }


def ask(target: Target, body: bytes, *lines: str, path: str = CODEX) -> bytes:
    head = (target.with_key, "Content-Type: application/json", length(body), *lines)
    return send(f"POST {path} HTTP/1.1", *head, body=body)


def disguised_turns() -> Iterator[bytes]:
    """Over and over."""
    payload = turn().decode()
    for disguise in itertools.cycle(DISGUISES.values()):
        yield frame(("{" + disguise + payload[1:]).encode(), mask=bytes(4))


async def besiege(target: Target) -> None:
    """All of it, until it is cancelled."""
    refused = itertools.cycle(REFUSED)
    bodies = of_strangers() | of_key(target.key) | bombs(target.key)
    sent = itertools.cycle((name, body.sent) for name, body in bodies.items())
    greedy = ask(target, turn(SLOW_TURN), "Connection: close")
    async with asyncio.TaskGroup() as tasks:
        for name, hoard in hoards(target).items():
            for _ in range(hoard.number):
                tasks.create_task(_keep(target, name, hoard))
        for _ in range(GREEDY):
            tasks.create_task(_go_on(target, greedy))
        tasks.create_task(_disguise(target))
        tasks.create_task(
            _at_rate(
                REFUSED_A_SECOND,
                lambda: _send(target, "refused", next(refused), rest=leave),
            )
        )
        tasks.create_task(
            _at_rate(
                BODIES_A_SECOND,
                lambda: _send(target, *next(sent), seconds=BODY_SECONDS),
            )
        )


async def _at_rate(rate: float, begin: Callable[[], Awaitable[None]]) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    async with asyncio.TaskGroup() as tasks:
        for number in itertools.count():
            await asyncio.sleep(started + number / rate - clock())
            tasks.create_task(begin())  # type: ignore[arg-type]


async def _keep(target: Target, name: str, hoard: Hoard) -> None:
    """One connection, again and again."""
    await asyncio.sleep(random.uniform(0, PAUSE))
    while True:
        seconds = None if hoard.rest is read_all else UNREAD_SECONDS
        await _send(target, name, hoard.sent, seconds, rest=hoard.rest)
        await asyncio.sleep(PAUSE)


async def _go_on(target: Target, sent: bytes) -> None:
    while True:
        await _send(target, "greedy turns", sent, PATIENCE)


async def _disguise(target: Target) -> None:
    """A socket that says what is hardly a turn, at a rate."""
    while True:
        try:
            await _say_hardly_a_turn(target)
        except (OSError, RuntimeError):  # uvloop has the latter for closed transports
            target.note("disguised turns", "cut")
            await asyncio.sleep(PAUSE)


async def _say_hardly_a_turn(target: Target) -> None:
    disguised = disguised_turns()
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    reading = asyncio.create_task(reader.read(-1))
    try:
        writer.write(send(f"GET {CODEX} HTTP/1.1", *UPGRADE, target.with_key))
        while not reading.done():
            await asyncio.sleep(1 / FRAMES_A_SECOND)
            writer.write(next(disguised))
            await writer.drain()
            target.note("disguised turns", "sent")
    finally:
        reading.cancel()
        writer.transport.abort()


async def _send(
    target: Target,
    name: str,
    sent: bytes,
    seconds: float | None = PATIENCE,
    *,
    rest: Rest = read_all,
) -> None:
    """Send it, and note the status, or what came of it else."""
    came, writer = "no connection", None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            came = "nothing"
            writer.write(sent)
            head = await reader.read(4096)
            came = head[9:12].decode("latin-1") or "closed"
            await rest(reader)
    except TimeoutError:
        pass  # he leaves
    except OSError:
        came += ", reset"
    finally:
        target.note(name, came)
        if writer is not None:
            writer.transport.abort()
