"""Recordings on disk: a bounded number of small files, readable by their owner."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "recordings"
MOST_FILES = 10


def write_recording(data_dir: Path, lines: Sequence[bytes]) -> Path:
    """A new file of the lines, in place of the oldest one. Blocks; raises OSError."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    there = recordings(data_dir)
    for old in there[: max(0, len(there) + 1 - MOST_FILES)]:
        old.unlink(missing_ok=True)
    # By number, for clocks are set back.
    number = 1 + max((_number(path) for path in there), default=0)
    path, descriptor = create_recording(folder, number)
    try:
        with open(descriptor, "wb") as file:
            file.writelines(line + b"\n" for line in lines)
    except OSError:
        path.unlink(missing_ok=True)  # half a recording is in the way of the next
        raise
    return path


def create_recording(folder: Path, number: int) -> tuple[Path, int]:
    """A file of its own, open; what stops one worker stops the others as well."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    while True:
        path = folder / f"{number:05d}-{moment}.jsonl"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1


def recordings(data_dir: Path) -> list[Path]:
    """Oldest first."""
    return sorted((data_dir / FOLDER).glob("*.jsonl"), key=_number)


def read_recording(path: Path) -> Iterator[dict[str, Any]]:
    """Its lines, as far as they are whole: what blocks for long is often killed."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                return


def _number(path: Path) -> int:
    digits = path.name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0
