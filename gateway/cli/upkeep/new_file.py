"""Files that commands write for people: their owner's alone, and never by surprise."""

import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from gateway.process.admin_token import FILE as ADMIN_TOKEN
from gateway.process.lockfile import LOCK_FILE
from gateway.settings import Settings
from gateway.store.database import sqlite_path
from gateway.store.encryption import KEY_FILE
from gateway.store.private_file import give_name

C = TypeVar("C", bound=Callable[..., object])

_BESIDE = ("-wal", "-shm", ".lock")
_OWN = (KEY_FILE, ADMIN_TOKEN, LOCK_FILE)


def force_option(command: C) -> C:
    """Give a command `--force`, for `new_file`."""
    return click.option(
        "--force", is_flag=True, help="Replace the file where there is one."
    )(command)


def own_files(settings: Settings) -> list[Path]:
    """What the gateway lives on, and nobody means to replace by a copy of it."""
    database = sqlite_path(settings.database_url) or settings.data_dir / "gateway.db"
    beside = [database.with_name(database.name + end) for end in _BESIDE]
    return [database, *beside, *(settings.data_dir / name for name in _OWN)]


@contextmanager
def new_file(
    path: Path,
    *,
    force: bool,
    spared: Sequence[Path] = (),
    instead: str = "name another file",
) -> Iterator[Path]:
    """A place to write in, which gets its name when all went well.

    A file of that name is replaced if the owner wants it; a link, a device and what is
    `spared` never are, nor what a link leads to. Raises ClickException, or
    OSError when the name was taken meanwhile.
    """
    is_replaced = _may_be_replaced(path, force, spared, instead)
    try:
        # Mode 0700, on the same file system.
        room = tempfile.TemporaryDirectory(prefix=".codexgate-", dir=path.parent)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    with room as folder:
        written = Path(folder) / path.name
        try:
            yield written
        except OSError as error:  # a full disk names no file
            error.filename = error.filename or str(path)
            raise
        written.chmod(0o600)
        if is_replaced:
            written.replace(path)
        else:
            give_name(written, path)


def _may_be_replaced(
    path: Path, force: bool, spared: Sequence[Path], instead: str
) -> bool:
    """Whether there is one; asks, and ends the command when the answer is no."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if path.parent.is_dir():
            return False
        raise click.ClickException(
            f"{path.parent} is no folder: make it first"
        ) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a link" if path.is_symlink() else "no regular file"
        raise click.ClickException(f"{path} is {what}: {instead}")
    if any(one.exists() and path.samefile(one) for one in spared):
        raise click.ClickException(f"{path} is the gateway's own: {instead}")
    if force:
        return True
    told = f"{path} exists already"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.ClickException(f"{told}: --force replaces it, or {instead}")
    return click.confirm(f"{told}. Replace it?", abort=True, err=True)
