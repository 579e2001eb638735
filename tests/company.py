"""Tests run beside each other, except those that look at the clock closely.

These are marked `alone`. Each process of the run locks a file while a test of its own
runs: shared with the others, or for itself. Who waits to be alone keeps the door, so
that nobody overtakes it.
"""

import fcntl
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def locked(path, how):
    with path.open("w") as file:
        fcntl.flock(file, how)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    if not hasattr(item.config, "workerinput"):  # one process runs all tests
        return (yield)
    folder = Path(item.config.getoption("basetemp")).parent  # of the whole run
    is_alone = item.get_closest_marker("alone") is not None
    with (folder / "room").open("w") as room:
        with locked(folder / "door", fcntl.LOCK_EX):
            fcntl.flock(room, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        return (yield)
