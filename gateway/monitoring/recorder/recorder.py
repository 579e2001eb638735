"""Recorder: beats on the loop, samples the gateway, writes after a block."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from gateway.monitoring.recorder.block import BLOCKED_SECONDS, Block
from gateway.monitoring.recorder.counts import LoopCounts
from gateway.monitoring.recorder.files import write_recording
from gateway.monitoring.recorder.ring import Ring
from gateway.monitoring.recorder.watchdog import Watchdog

logger = logging.getLogger("gateway.recorder")

# A sign of life of the loop. The time between two is that of a block and up to one of
# these: none above the bound escapes, and one of half of it may be counted. More
# beats would be more exact; an idle machine pays for being woken, not for the beats.
BEAT_SECONDS = 0.05
SAMPLE_SECONDS = 0.5
RING_SECONDS = 60.0
RING_BYTES = 1024 * 1024
# A file has the last minute, so one a minute has all of it, however bad the machine.
PAUSE_SECONDS = RING_SECONDS


class Recorder:
    """Started and stopped on its loop. `look` gives the rest of a sample."""

    def __init__(
        self,
        data_dir: Path,
        look: Callable[[float], dict[str, Any]],
        counts: LoopCounts,
    ) -> None:
        self._data_dir = data_dir
        self._look = look
        self._counts = counts
        self._ring = Ring(seconds=RING_SECONDS, size=RING_BYTES)
        self._watchdog: Watchdog | None = None
        self._next_beat: asyncio.Handle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._unwritten: list[Block] = []
        self._may_write_at = 0.0
        self._is_failing = False
        self._worst_lag = 0.0
        self._collecting = 0.0  # seconds, since the last beat
        self._collection_began = 0.0

    def start(self) -> None:
        """Begin with the loop's next round: what its start takes is no block."""
        self._loop = asyncio.get_running_loop()
        self._next_beat = self._loop.call_soon(self._first_beat)
        gc.callbacks.append(self._on_collection)

    async def stop(self) -> None:
        """Write what is still to be written. Safe when not started."""
        if self._next_beat is None:
            return
        self._next_beat.cancel()
        self._next_beat = None
        gc.callbacks.remove(self._on_collection)
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._writing is not None:
            await self._writing
        if self._unwritten:
            await self._write()

    def _first_beat(self) -> None:
        self._watchdog = Watchdog()
        self._last_beat = self._last_sample = time.monotonic()
        self._last_cpu = self._sampled_cpu = time.thread_time()
        self._next_beat = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        now, cpu = time.monotonic(), time.thread_time()
        assert self._watchdog is not None
        sights = self._watchdog.beat(now)
        lasted = now - self._last_beat
        self._worst_lag = max(self._worst_lag, lasted - BEAT_SECONDS)
        if lasted > BLOCKED_SECONDS:
            used = cpu - self._last_cpu
            self._note(now, Block(lasted, used, self._collecting, sights))
        if now - self._last_sample >= SAMPLE_SECONDS:
            self._sample(now, cpu)
        self._last_beat, self._last_cpu, self._collecting = now, cpu, 0.0
        self._next_beat = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _note(self, now: float, block: Block) -> None:
        self._counts.block(block.cause)
        self._unwritten.append(block)
        self._add(now, block.as_line())

    def _sample(self, now: float, cpu: float) -> None:
        """A line of the ring; and the ring to disk when that is due."""
        self._counts.lag(self._worst_lag)
        busy = (cpu - self._sampled_cpu) / (now - self._last_sample)
        told = {
            "kind": "sample",
            "lag_ms": round(self._worst_lag * 1000, 1),
            "cpu": round(busy, 3),
            **self._look(self._loop.time()),
        }
        self._add(now, told)
        self._worst_lag, self._last_sample, self._sampled_cpu = 0.0, now, cpu
        if self._unwritten and self._writing is None and now >= self._may_write_at:
            self._may_write_at = now + PAUSE_SECONDS
            self._writing = self._loop.create_task(self._write())

    def _add(self, now: float, told: dict[str, Any]) -> None:
        """`at`: unix time, may jump; `clock`: seconds that do not."""
        stamped = {"at": round(time.time(), 3), "clock": round(now, 3), **told}
        self._ring.add(now, orjson.dumps(stamped))

    async def _write(self) -> None:
        """The ring as it is now, off the loop. A failure is told once and counted."""
        blocks, self._unwritten = self._unwritten, []
        lines = self._ring.lines()
        try:
            path = await self._loop.run_in_executor(
                None, write_recording, self._data_dir, lines
            )
        except OSError as error:
            self._counts.recording(written=False)
            if not self._is_failing:
                logger.warning("no recording of a blocked loop: %s", error)
            self._is_failing = True
        else:
            self._counts.recording(written=True)
            self._is_failing = False
            worst = max(blocks, key=lambda block: block.lasted)
            more = f" ({len(blocks)} blocks, this the longest)" if blocks[1:] else ""
            logger.warning("the loop was blocked: %s%s; see %s", worst, more, path)
        finally:
            self._writing = None

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        """The interpreter's call at the start and end of each collection."""
        if phase == "start":
            self._collection_began = time.monotonic()
        else:
            self._collecting += time.monotonic() - self._collection_began
