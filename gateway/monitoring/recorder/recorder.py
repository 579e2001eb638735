"""Recorder: samples the gateway, and writes the last minute after a blocked loop."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from gateway.monitoring.recorder.block import BLOCKED_SECONDS, Block
from gateway.monitoring.recorder.files import write_recording
from gateway.monitoring.recorder.loop_metrics import LoopMetrics
from gateway.monitoring.recorder.ring import RingBuffer
from gateway.monitoring.recorder.watchdog import Watchdog

logger = logging.getLogger("gateway.recorder")

# Between heartbeats of the loop. The measured time of a block is up to one of these too
# long: none above the bound is missed, and one of half of it may be counted. More
# heartbeats would be more exact; an idle machine pays for being woken.
HEARTBEAT_SECONDS = 0.05
SAMPLE_SECONDS = 0.5
RING_SECONDS = 60.0
RING_BYTES = 1024 * 1024
# A file has the last minute, so one a minute has all of it, however bad the machine.
PAUSE_SECONDS = RING_SECONDS


class Recorder:
    """Run and stopped on its loop; `sample` makes a sample at the loop's time."""

    def __init__(
        self,
        data_dir: Path,
        sample: Callable[[float], dict[str, Any]],
        metrics: LoopMetrics,
    ) -> None:
        self._data_dir = data_dir
        self._sample_gateway = sample
        self._metrics = metrics
        self._ring = RingBuffer(seconds=RING_SECONDS, size=RING_BYTES)
        self._writing: asyncio.Task[None] | None = None
        self._unwritten: list[Block] = []
        self._may_write_at = 0.0
        self._is_failing = False
        self._worst_lag = 0.0
        self._collecting = 0.0  # seconds, since the last heartbeat
        self._collection_began = 0.0

    async def run(self) -> None:
        """Sample for ever; its owner cancels it, and calls `stop` then."""
        self._loop = asyncio.get_running_loop()
        watchdog = Watchdog()
        self._last_heartbeat = self._last_sample = time.monotonic()
        self._last_cpu = self._sampled_cpu = time.thread_time()
        gc.callbacks.append(self._on_collection)
        try:
            while True:
                await asyncio.sleep(HEARTBEAT_SECONDS)
                self._heartbeat(watchdog)
        finally:
            gc.callbacks.remove(self._on_collection)
            watchdog.stop()

    async def stop(self) -> None:
        """Write what is still to be written."""
        if self._writing is not None:
            await self._writing
        if self._unwritten:
            await self._write()

    def _heartbeat(self, watchdog: Watchdog) -> None:
        now, cpu = time.monotonic(), time.thread_time()
        stacks = watchdog.heartbeat(now)
        duration = now - self._last_heartbeat
        self._worst_lag = max(self._worst_lag, duration - HEARTBEAT_SECONDS)
        if duration > BLOCKED_SECONDS:
            used = cpu - self._last_cpu
            self._note(now, Block(duration, used, self._collecting, stacks))
        if now - self._last_sample >= SAMPLE_SECONDS:
            self._sample(now, cpu)
        self._last_heartbeat, self._last_cpu, self._collecting = now, cpu, 0.0

    def _note(self, now: float, block: Block) -> None:
        self._metrics.count_block(block.cause)
        self._unwritten.append(block)
        self._add(now, block.as_dict())

    def _sample(self, now: float, cpu: float) -> None:
        """Add a sample; write the ring where a block is unwritten and a file is due."""
        self._metrics.observe_lag(self._worst_lag)
        busy = (cpu - self._sampled_cpu) / (now - self._last_sample)
        sample = {
            "kind": "sample",
            "lag_ms": round(self._worst_lag * 1000, 1),
            "cpu": round(busy, 3),
            **self._sample_gateway(self._loop.time()),
        }
        self._add(now, sample)
        self._worst_lag, self._last_sample, self._sampled_cpu = 0.0, now, cpu
        if self._unwritten and self._writing is None and now >= self._may_write_at:
            self._may_write_at = now + PAUSE_SECONDS
            self._writing = self._loop.create_task(self._write())

    def _add(self, now: float, entry: dict[str, Any]) -> None:
        """`at`: unix time, may jump; `clock`: seconds that do not."""
        stamped = {"at": round(time.time(), 3), "clock": round(now, 3), **entry}
        self._ring.add(now, orjson.dumps(stamped))

    async def _write(self) -> None:
        """Write the ring, off the loop; of failures only the first is logged."""
        blocks, self._unwritten = self._unwritten, []
        lines = self._ring.lines()
        try:
            path = await self._loop.run_in_executor(
                None, write_recording, self._data_dir, lines
            )
        except OSError as error:
            self._metrics.count_recording(written=False)
            if not self._is_failing:
                logger.warning("no recording of a blocked loop: %s", error)
            self._is_failing = True
        else:
            self._metrics.count_recording(written=True)
            self._is_failing = False
            worst = max(blocks, key=lambda block: block.duration)
            more = f" ({len(blocks)} blocks, this the longest)" if blocks[1:] else ""
            logger.warning("the loop was blocked: %s%s; see %s", worst, more, path)
        finally:
            self._writing = None

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        """Called by the interpreter at the start and end of each collection."""
        if phase == "start":
            self._collection_began = time.monotonic()
        else:
            self._collecting += time.monotonic() - self._collection_began
