"""How tests share the machine: beside each other, or alone, and for how long.

Those that look at the clock closely are marked `alone`. Each process of the run locks a
file while a test of its own runs: shared with the others, or for itself. Who waits to
be alone keeps the door, so that nobody overtakes it.
"""

import fcntl
from contextlib import contextmanager
from pathlib import Path

import pytest

USUAL = 60  # seconds, as in pyproject.toml


@contextmanager
def locked(path, how):
    with path.open("w") as file:
        fcntl.flock(file, how)
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)  # waiting is none of a test's time
def pytest_runtest_protocol(item, nextitem):
    if not hasattr(item.config, "workerinput"):  # one process runs all tests
        return (yield)
    folder = Path(item.config.getoption("basetemp")).parent  # of the whole run
    is_alone = item.get_closest_marker("alone") is not None
    with (folder / "room").open("w") as room:
        with locked(folder / "door", fcntl.LOCK_EX):
            fcntl.flock(room, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Limit each test's time; begin with files of long tests, end with lonely ones.

    A long one that comes last keeps one process busy while the others have nothing
    to do, and who wants to be alone waits for all that run.
    """
    files = {}
    for item in items:
        seconds = limit(item)
        if seconds != USUAL:
            item.add_marker(pytest.mark.timeout(seconds))
        lonely = item.get_closest_marker("alone") is not None
        slow = item.get_closest_marker("slow") is not None
        rank = (lonely, -seconds, not slow)
        seen = files.setdefault(item.path, rank)
        files[item.path] = (lonely or seen[0], *min(rank[1:], seen[1:]))
    items.sort(key=lambda item: files[item.path])


def limit(item):
    """How long the test may take (seconds), with what it needs started; 0: for ever."""
    asynchronous = item.get_closest_marker("gen_test")
    seconds = asynchronous.kwargs.get("timeout") if asynchronous else None
    if seconds is not None:
        return max(USUAL, seconds + 30)
    return 0 if item.get_closest_marker("nightly") else USUAL
