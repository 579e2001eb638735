"""Files that only their owner reads, and that nobody finds half written."""

import os
import tempfile
from pathlib import Path


def create_file(path: Path, text: str) -> None:
    """Make the file where there is none; of several processes the first one wins.

    It gets its name when it is whole: a link fails where the name is taken.
    """
    temporary = _write_temporary(path, text)
    try:
        give_name(temporary, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def give_name(written: Path, path: Path) -> None:
    """Name a finished file; raises FileExistsError where the name is taken."""
    try:
        os.link(written, path)
    except OSError as error:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists already") from error
        written.replace(path)  # the file system knows no links


def replace_file(path: Path, text: str) -> None:
    """Replace the file's text, all or nothing, even when power is cut."""
    temporary = _write_temporary(path, text)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write_temporary(path: Path, text: str) -> Path:
    # O_EXCL, mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        os.unlink(name)
        raise OSError(error.errno, error.strerror, str(path)) from error
    return Path(name)


def sync_folder(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
