"""Four times as many turns as the accounts can take: who gets through, and how fast.

Turns arrive at a steady rate whatever becomes of the others, over both transports, and
who is refused does not come back. The accounts' caps are what the gateway can take.
"""

import asyncio
import itertools
import json
import statistics
import time
from dataclasses import dataclass, field

from tests.serving import CODEX, TERMINAL, payload
from tests.tools.bench import machine
from tests.tools.soak.figures import quantiles
from tests.tools.soak.stand import built, clients

ACCOUNTS = ("one", "two")
TIMES = 4  # as many as the accounts can take
HEALTH_SECONDS = 0.05  # between two looks
# The bars, in shares of an unloaded turn's time and in seconds.
LATENCY = 2.0
REFUSED_WITHIN = 0.1
HEALTHY_WITHIN = 0.1
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much of it; `words` come 20 ms apart."""

    seconds: float = 30.0
    cap: int = 20  # of each account
    words: int = 50

    @property
    def places(self):
        return self.cap * len(ACCOUNTS)


@dataclass(slots=True)
class Seen:
    """What the clients have seen; seconds."""

    load: Load
    alone: list = field(default_factory=list)  # turns on an idle gateway
    offered: int = 0
    admitted: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    retry_after: list = field(default_factory=list)  # as told to the refused
    others: list = field(default_factory=list)  # neither, each a text
    health: list = field(default_factory=list)
    rate: float = 0.0  # admitted turns that ended in a second
    held: dict = field(default_factory=dict)
    lag: str = ""

    @property
    def unloaded(self):
        return statistics.median(self.alone)

    @property
    def most(self):
        """Turns a second that the accounts can take."""
        return self.load.places / self.unloaded

    def table(self):
        lines = {
            "accounts": f"{len(ACCOUNTS)}, {self.load.cap} turns at a time each",
            "unloaded turn (ms)": quantiles(self.alone),
            "offered": f"{self.offered} turns, {TIMES} times {self.most:.0f} a second",
            "admitted": f"{len(self.admitted)}, {self.rate:.1f} a second",
            "their time (ms)": quantiles(self.admitted),
            "refused": len(self.refused),
            "their time (ms) ": quantiles(self.refused),
            "Retry-After": sorted(set(self.retry_after)),
            "neither": self.others[:5] or "none",
            "/health (ms)": quantiles(self.health),
            "loop lag": self.lag,
            "held at the end": self.held or "nothing",
        }
        return "\n".join(f"{name:>18}  {value}" for name, value in lines.items())

    def as_json(self):
        document = {"machine": machine.describe(), "accounts": len(ACCOUNTS)}
        for name in ("alone", "admitted", "refused", "health"):
            document[f"{name}_ms"] = quantiles(getattr(self, name))
            document[name] = len(getattr(self, name))
        document |= {"cap": self.load.cap, "seconds": self.load.seconds}
        document |= {"offered": self.offered, "rate": round(self.rate, 1)}
        return json.dumps(document, indent=1) + "\n"

    def wrong(self, slack=1.0):
        """What must not be, each as a text; times may take `slack` times as long."""
        yield from (f"neither admitted nor refused: {one}" for one in self.others[:20])
        yield from (f"held at the end: {name} {n}" for name, n in self.held.items())
        if len(self.retry_after) != len(self.refused) or not self.refused:
            yield f"{len(self.refused)} refused, {len(self.retry_after)} Retry-After"
        if self.rate < 0.9 / slack * self.most:
            yield f"{self.rate:.1f} turns a second of the possible {self.most:.1f}"
        for what, worst, bar in (
            ("an admitted turn", max(self.admitted), LATENCY * self.unloaded),
            ("a refusal", max(self.refused, default=0.0), REFUSED_WITHIN),
            ("/health", max(self.health), HEALTHY_WITHIN),
        ):
            if worst > bar * slack:
                yield f"{what} took {worst:.3f} s, more than {bar * slack:.3f}"


async def overload(folder, load):
    """Run it; what was Seen."""
    async with built(folder, ACCOUNTS, cap=load.cap) as stand:
        before = await stand.metrics()
        seen = Seen(load)
        async with clients() as session:
            crowd = Crowd(session, stand.process.url, seen)
            await crowd.warm_up()
            await crowd.ask_alone()
            watching = asyncio.create_task(crowd.watch_health())
            await crowd.storm()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await crowd.close()
        seen.held = await stand.left_over(before)
        seen.lag = (await stand.metrics()).lag()
    return seen


class Crowd:
    """Those that ask, over HTTP and over sockets by turns."""

    def __init__(self, session, url, seen):
        self._session = session
        self._url = url
        prompt = f"demo:long({seen.load.words})"
        self._payload = payload(prompt, prompt_cache_key=None)
        self._load = seen.load
        self._seen = seen
        self._idle = []  # sockets

    async def warm_up(self):
        """The sockets that will be needed, connected; upstream is not, yet."""
        for _ in range(self._load.places):
            self._idle.append(await self._session.ws_connect(self._url + CODEX))

    async def ask_alone(self):
        """A tenth of what the accounts can take, at a time."""
        few = max(2, self._load.places // 10)
        for _ in range(4):
            async with asyncio.TaskGroup() as tasks:
                for number in range(few):
                    tasks.create_task(self._ask(number))
        self._seen.alone, self._seen.admitted = self._seen.admitted[few:], []

    async def storm(self):
        """Turns at a steady rate, and the end of them all."""
        seen = self._seen
        begin = time.monotonic()
        pause = 1 / (TIMES * seen.most)
        async with asyncio.TaskGroup() as tasks:
            for number in itertools.count():
                due = begin + number * pause
                if due >= begin + self._load.seconds:
                    break
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                seen.offered += 1
                tasks.create_task(self._ask(number))
        seen.rate = len(seen.admitted) / (time.monotonic() - begin)

    async def watch_health(self):
        while True:
            begin = time.monotonic()
            async with self._session.get(self._url + "/health") as response:
                await response.read()
            self._seen.health.append(time.monotonic() - begin)
            await asyncio.sleep(HEALTH_SECONDS)

    async def close(self):
        for ws in self._idle:
            await ws.close()

    async def _ask(self, number):
        ask = self._over_a_socket if number % 2 else self._over_http
        begin = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            status, told, retry_after = await ask()
        seconds = time.monotonic() - begin
        if status == 200:
            self._seen.admitted.append(seconds)
        elif status == 503 and "gateway_overloaded" in told:
            self._seen.refused.append(seconds)
            if retry_after is not None:
                self._seen.retry_after.append(int(retry_after))
        else:
            self._seen.others.append(f"{status} {told}")

    async def _over_http(self):
        async with self._session.post(self._url + CODEX, json=self._payload) as answer:
            told = (await answer.read()).decode()
        is_whole = "event: response.completed" in told or answer.status != 200
        status = answer.status if is_whole else "cut"
        return status, told[-300:], answer.headers.get("retry-after")

    async def _over_a_socket(self):
        url = self._url + CODEX
        ws = self._idle.pop() if self._idle else await self._session.ws_connect(url)
        await ws.send_json({"type": "response.create", **self._payload})
        event = {"type": ""}
        while event["type"] not in TERMINAL:
            event = await ws.receive_json()
        self._idle.append(ws)
        if event["type"] == "response.completed":
            return 200, "", None
        retry_after = event.get("headers", {}).get("retry-after")
        return event.get("status"), str(event), retry_after
