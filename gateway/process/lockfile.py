"""The lock file: one gateway for each data directory, and where others find it.

The running gateway holds a lock on `gateway.lock`, which ends with its process
however that ends; the file's text says where it listens, and its database.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

LOCK_FILE = "gateway.lock"
WORKERS_FILE = "workers.lock"
# A command that looks for a running gateway holds the lock for a moment, too.
LOCK_SECONDS = 1.0
# A gateway takes the lock first and listens after its database is open.
START_SECONDS = 10.0
_POLL = 0.05


class AlreadyRunning(Exception):
    """A gateway serves from this data directory, or another from the database."""


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway process; `port` is 0 until it listens.

    Its database in words, and as the mark that this start left there; or, instead of a
    gateway, the `command` that keeps one out.
    """

    pid: int
    host: str = ""
    port: int = 0
    database: str = ""
    database_mark: str = ""
    command: str = ""

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


class Lock:
    """A held lock."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def publish(self, running: RunningGateway) -> None:
        """Write for others where this gateway listens."""
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(running), self._file)
        self._file.flush()

    def fileno(self) -> int:
        """The descriptor; every process that has it open holds the lock."""
        return self._file.fileno()


@contextmanager
def lock_data_dir(
    data_dir: Path, inherited: int | None = None, timeout: float = LOCK_SECONDS
) -> Iterator[Lock]:
    """Be the one gateway of the data directory. Raises AlreadyRunning, OSError.

    `inherited` is the descriptor of a predecessor that goes on holding the lock:
    it ends with the last of both. Until the successor publishes, the file names the
    predecessor.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    is_inherited = False
    if inherited is not None:
        # Of another directory, when the settings have changed: then it is no use.
        is_inherited = os.path.sameopenfile(descriptor, inherited)
        if is_inherited:
            os.dup2(inherited, descriptor, inheritable=False)
        os.close(inherited)
    with open(descriptor, "r+") as file:
        deadline = time.monotonic() + timeout
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise AlreadyRunning(_refusal(data_dir, _read(file)))
            time.sleep(_POLL)
        lock = Lock(file)
        if not is_inherited:
            lock.publish(RunningGateway(os.getpid()))
        yield lock


@contextmanager
def share_workers_lock(
    data_dir: Path, kept: int | None = None
) -> Iterator[tuple[int, bool]]:
    """What a parent and its workers hold, and whether no others do.

    Whoever has the other lock shares this one. Workers of a parent that was killed
    have it for as long as they drain, when the other is free. `kept`: held already.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = (
        os.open(data_dir / WORKERS_FILE, flags, 0o600) if kept is None else kept
    )
    with open(descriptor, "r+") as file:
        is_sole = kept is None and _try_lock(file, fcntl.LOCK_EX)
        fcntl.flock(file, fcntl.LOCK_SH)  # waits for nobody: see above
        yield descriptor, is_sole


def find_running(
    data_dir: Path, timeout: float = START_SECONDS
) -> RunningGateway | None:
    """The gateway that serves from the data directory; waits for one that starts.

    Blocks. Raises OSError when the file cannot be read.
    """
    path = data_dir / LOCK_FILE
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        deadline = time.monotonic() + timeout
        while not _try_lock(file, fcntl.LOCK_SH):
            running = _read(file)
            is_known = running.port or running.command
            if is_known or time.monotonic() > deadline:
                return running
            time.sleep(_POLL)
        return None


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> RunningGateway:
    """What the holder published; of process 0 while it is being written."""
    file.seek(0)
    try:
        told = json.load(file)
        # A later release may tell more.
        known = {
            one.name: told[one.name]
            for one in fields(RunningGateway)
            if one.name in told
        }
        return RunningGateway(**known)
    except (ValueError, TypeError):
        return RunningGateway(0)


def _refusal(data_dir: Path, running: RunningGateway) -> str:
    if running.command:
        return (
            f"`{running.command}` (process {running.pid}) works on {data_dir}; "
            "start again when it is done"
        )
    where = f", port {running.port}" if running.port else ""
    return (
        f"A gateway already serves from {data_dir} (process {running.pid}{where}); "
        "stop it, or choose another GATEWAY_DATA_DIR and GATEWAY_PORT"
    )
