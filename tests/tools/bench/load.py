"""The load generator: jobs come in on stdin, results leave on stdout, as JSON lines.

Run as `python -m tests.tools.bench.load`. It reads the CPU and memory of the
processes under test itself, so that the figures cover exactly the window.
"""

import asyncio
import functools
import gc
import json
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import uvloop
import zstandard

from tests.tools.bench import machine, wire
from tests.tools.bench.clients import (
    Client,
    HttpClient,
    SlowReader,
    SocketClient,
    Tally,
)

_PATH = "/backend-api/codex/responses"
# A window starts this long after the last stream has begun.
_SETTLE = 0.3


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement against one target; not every kind reads every field."""

    kind: str
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    watched: tuple[int, ...] = ()  # processes under test
    transport: str = "http"  # or "socket"
    path: str = _PATH
    clients: int = 1
    turns: int = 0  # per client; 0: as many as fit into `seconds`
    seconds: float = 0.0
    pace: float = 0.05
    big_bytes: int = 0  # of each big request among the paced streams
    is_compressed: bool = False
    flood_bytes: int = 0


class _Watch:
    """CPU, memory and wall time from here on."""

    def __init__(self, job: Job) -> None:
        self._pids = job.watched
        self.rss = machine.resident_bytes(self._pids)
        self._own = time.process_time()
        self._cpu = machine.cpu_seconds(self._pids)
        self._start = time.perf_counter()

    def read(self) -> dict[str, float]:
        wall = time.perf_counter() - self._start
        return {
            "seconds": wall,
            "cpu": machine.cpu_seconds(self._pids) - self._cpu,
            "generator_load": (time.process_time() - self._own) / wall,
            "rss": machine.resident_bytes(self._pids),
            "rss_before": self.rss,
        }


@functools.lru_cache(maxsize=4)
def _body(size: int, is_compressed: bool) -> bytes:
    body = wire.request_body(size)
    return zstandard.compress(body, 3) if is_compressed else body


def _request(job: Job, plan: str, *, number: int, big: bool = False) -> bytes:
    """Head of a request, and its body where it has one."""
    headers = {
        "host": f"127.0.0.1:{job.port}",
        "user-agent": "codex_exec/0.169.0 (bench)",
        "originator": "codex_exec",
        "session-id": f"01a208c2-4404-7140-a827-{number:012d}",
        wire.PLAN_HEADER: plan,
        **job.headers,
    }
    body = b""
    if job.transport == "socket" and not big:
        method = "GET"
        headers |= {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    else:
        method = "POST"
        body = _body(job.big_bytes if big else 0, big and job.is_compressed)
        headers |= {
            "content-type": "application/json",
            "accept": "text/event-stream",
            "content-length": str(len(body)),
        }
        if big and job.is_compressed:
            headers["content-encoding"] = "zstd"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {job.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _connect(
    job: Job, tally: Tally, plan: str, *, turns: int, number: int, big: bool = False
) -> Client:
    is_socket = job.transport == "socket" and not big
    kind: type[Client] = SocketClient if is_socket else HttpClient
    body = wire.create_frame() if is_socket else b""
    head = _request(job, plan, number=number, big=big)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: kind(tally, head, body, turns), "127.0.0.1", job.port
    )
    return client


async def _finish(clients: list[Client]) -> None:
    await asyncio.gather(*(client.finished for client in clients))
    for client in clients:
        client.transport.close()


async def turns(job: Job) -> dict[str, Any]:
    """Whole turns as fast as they go, over connections that stay open."""
    tally = Tally()
    watch = _Watch(job)
    endless = job.turns or sys.maxsize
    plan = wire.plan()
    clients = [
        await _connect(job, tally, plan, turns=endless, number=number)
        for number in range(job.clients)
    ]
    if not job.turns:
        await asyncio.sleep(job.seconds)
        result = watch.read() | {"turns": tally.turns}
        for client in clients:
            client.stop()
    await _finish(clients)
    if job.turns:
        result = watch.read() | {"turns": tally.turns}
    return result | {"first_outputs": list(tally.first_outputs)} | _failures(tally)


async def paced(job: Job) -> dict[str, Any]:
    """Streams with one event per pace; only the middle of their life counts."""
    loop = asyncio.get_running_loop()
    tally = Tally(window=(float("inf"), float("inf")))
    before = machine.resident_bytes(job.watched)
    ramp = max(0.4, job.clients / 400)  # seconds; connecting must not be a burst
    life = ramp + _SETTLE + job.seconds + 0.2
    per_turn = max(2, round(life / job.pace / max(job.turns, 1)))
    plan = wire.plan(deltas=per_turn, pace=job.pace)
    clients, start = [], loop.time()
    for number in range(job.clients):
        await asyncio.sleep(start + ramp * number / job.clients - loop.time())
        clients.append(
            await _connect(job, tally, plan, turns=max(job.turns, 1), number=number)
        )
    await asyncio.sleep(_SETTLE)
    watch = _Watch(job)
    opened = time.perf_counter()
    tally.window = (opened, opened + job.seconds)
    big = await _big_requests(job) if job.big_bytes else {}
    await asyncio.sleep(opened + job.seconds - time.perf_counter())
    result = watch.read() | {"events": tally.events, "rss_idle": before}
    await _finish(clients)
    gaps = sorted(tally.gaps)
    return result | _gap_figures(gaps, job.pace) | big | _failures(tally)


async def _big_requests(job: Job) -> dict[str, Any]:
    """Big requests one after the other until the window is nearly over."""
    tally = Tally()
    end = time.perf_counter() + job.seconds - 0.5
    plan = wire.plan()
    while not tally.turns or time.perf_counter() < end:
        client = await _connect(job, tally, plan, turns=1, number=0, big=True)
        await _finish([client])
        if tally.failures:
            raise RuntimeError(tally.failures[0])
        await asyncio.sleep(0.3)
    return {"big_outputs": list(tally.first_outputs)}


async def idle(job: Job) -> dict[str, Any]:
    """Connections that were used once (HTTP) or only opened (sockets)."""
    tally = Tally()
    watch = _Watch(job)
    count = 0 if job.transport == "socket" else 1
    clients: list[Client] = []
    for number in range(job.clients):
        clients.append(
            await _connect(job, tally, wire.plan(), turns=count, number=number)
        )
        if len(clients) % 50 == 0:  # handshakes must not pile up
            await _settled(clients[-50:])
    await _settled(clients)
    await asyncio.sleep(0.5)
    result = watch.read()
    for client in clients:
        client.transport.abort()
    return result | _failures(tally)


async def _settled(clients: list[Client]) -> None:
    for client in clients:
        await (client.opened if isinstance(client, SocketClient) else client.finished)


async def flood(job: Job) -> dict[str, Any]:
    """A client that reads nothing while the upstream sends all it can."""
    watch = _Watch(job)
    request = _request(job, wire.plan(flood=job.flood_bytes), number=0)
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: SlowReader(request), "127.0.0.1", job.port
    )
    peak = watch.rss
    for _ in range(round(job.seconds / 0.02)):
        await asyncio.sleep(0.02)
        peak = max(peak, machine.resident_bytes(job.watched))
    transport.abort()
    return watch.read() | {"rss_peak": peak}


def _gap_figures(gaps: list[float], pace: float) -> dict[str, float]:
    if not gaps:
        return {"gap_p99": 0.0, "gap_max": 0.0, "stalled": 1.0}
    stalled = sum(gap > 2 * pace for gap in gaps) / len(gaps)
    p99 = gaps[min(len(gaps) - 1, int(len(gaps) * 0.99))]
    return {"gap_p99": p99, "gap_max": gaps[-1], "stalled": stalled}


def _failures(tally: Tally) -> dict[str, Any]:
    return {"failed": len(tally.failures), "failures": tally.failures[:3]}


_KINDS: dict[str, Callable[[Job], Coroutine[Any, Any, dict[str, Any]]]] = {
    job.__name__: job for job in (turns, paced, idle, flood)
}


def main() -> None:
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            job = Job(**json.loads(line))
            result = runner.run(_KINDS[job.kind](job))
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
