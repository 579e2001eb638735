"""Paths that begin with ~, as owners write them."""

import errno
from pathlib import Path


def at_home(path: Path) -> Path:
    """The path with the home it names; FileNotFoundError where there is none.

    A user that a container or service makes up has none, unless HOME says one.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        told = "whoever runs this has no such home: set HOME, or give the whole path"
        raise FileNotFoundError(errno.ENOENT, told, str(path)) from error
