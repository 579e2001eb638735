"""Recordings of the flight recorder: all there are, one readable, and its file."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gateway.admin.errors import NotThere
from gateway.monitoring.recorder.block import BlockCause
from gateway.monitoring.recorder.files import read_recording, recordings
from gateway.sign_in.users import Role
from handlers.dashboard.base import PageHandler

MOST_LINES = 50

Line = Mapping[str, Any]

_CAUSES: Mapping[str, str] = {
    BlockCause.BUSY: "busy",
    BlockCause.WAITING: "waiting for something else",
    BlockCause.COLLECTION: "garbage was collected",
    BlockCause.STOPPED: "the process was stopped, or starved of CPU",
}


class RecorderScreen(PageHandler):
    """/dashboard/recorder: what the recorder wrote when the loop was blocked."""

    least_role: ClassVar = {"get": Role.OPERATOR}

    async def get(self) -> None:
        folder = self.gateway.settings.data_dir
        await self.show_apart("recorder.html", _all_recordings, folder)


class RecordingScreen(PageHandler):
    """/dashboard/recorder/NAME: the blocks of one, and the time around them."""

    least_role: ClassVar = {"get": Role.OPERATOR}

    async def get(self, name: str) -> None:
        folder = self.gateway.settings.data_dir
        may = self.user is not None and self.user.role.includes(Role.OWNER)
        read = (_one_recording, folder, name)
        await self.show_apart("recording.html", *read, can_download=may)


class RecordingFile(PageHandler):
    """/dashboard/recorder/NAME/file: its lines as they were written."""

    least_role: ClassVar = {"get": Role.OWNER}

    async def get(self, name: str) -> None:
        self.must_be_fresh()
        folder, loop = self.gateway.settings.data_dir, asyncio.get_running_loop()
        content = await loop.run_in_executor(
            None, lambda: _find(folder, name).read_bytes()
        )
        self.set_header("content-type", "application/x-ndjson")
        self.set_header("content-disposition", f'attachment; filename="{name}"')
        await self.finish(content)


def _all_recordings(data_dir: Path) -> dict[str, Any]:
    """The newest first."""
    found = [_outline(path) for path in recordings(data_dir)[::-1]]
    return {"recordings": found, "cause_text": _cause_text}


def _outline(path: Path) -> dict[str, Any]:
    blocks = _blocks(list(read_recording(path)))
    worst = max(blocks, key=lambda block: float(block["blocked_ms"]), default=None)
    return {
        "name": path.name,
        "at": path.stat().st_mtime,
        "blocks": len(blocks),
        "worst": worst,
    }


def _one_recording(data_dir: Path, name: str) -> dict[str, Any]:
    """Of the samples the last ones: a file is written when a block is over."""
    lines = list(read_recording(_find(data_dir, name)))
    blocks = _blocks(lines)
    samples = [line for line in lines if line.get("kind") == "sample"]
    return {
        "name": name,
        "blocks": blocks[-MOST_LINES:],
        "block_count": len(blocks),
        "samples": [{**one, "silent": _silent(one)} for one in samples[-MOST_LINES:]],
        "sample_count": len(samples),
        "cause_text": _cause_text,
    }


def _blocks(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.get("kind") == "block"]


def _cause_text(block: Line) -> str:
    cause = str(block["cause"])
    return _CAUSES.get(cause, cause)


def _silent(sample: Line) -> float:
    """Seconds, the longest that a stream's upstream has been."""
    return max((one.get("heard", one["age"]) for one in sample["streams"]), default=0.0)


def _find(data_dir: Path, name: str) -> Path:
    """One of those that are there: no name leads elsewhere."""
    for path in recordings(data_dir):
        if path.name == name:
            return path
    raise NotThere("recording", name)
