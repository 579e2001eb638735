"""What processes cost, read from /proc, and what machine this is."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def process_tree(pid: int) -> list[int]:
    """The process and all its descendants alive now."""
    found = [pid]
    for parent in found:  # grows while it is read
        for task in _listed(_PROC / str(parent) / "task"):
            found += map(int, _text(task / "children").split())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU of all threads alive, from the scheduler's nanosecond counters.

    utime and stime count in ticks of 10 ms, too coarse for one window.
    """
    total = 0
    for pid in pids:
        for task in _listed(_PROC / str(pid) / "task"):
            total += int((_text(task / "schedstat").split() or ["0"])[0])
    return total / 1e9


def resident_bytes(pids: Iterable[int]) -> int:
    pages = 0
    for pid in pids:
        fields = _text(_PROC / str(pid) / "statm").split()
        pages += int(fields[1]) if fields else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def describe() -> dict[str, str]:
    """Processor, cores, kernel and Python of this machine."""
    lines = _text(_PROC / "cpuinfo").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []  # it ended meanwhile


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
