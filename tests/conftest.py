"""Fixtures shared by all tests: the loop and the scripted upstream."""

import asyncio

import pytest
from tornado.ioloop import IOLoop

from gateway.demo.upstream import ScriptedUpstream


@pytest.fixture
def io_loop():
    """Replaces pytest-tornado's fixture, whose make_current() is deprecated."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    loop = IOLoop.current()
    yield loop
    # Transports closed by a test are released in the loop's next rounds.
    loop.asyncio_loop.run_until_complete(asyncio.sleep(0))
    loop.asyncio_loop.run_until_complete(loop.asyncio_loop.shutdown_asyncgens())
    loop.close(all_fds=True)
    asyncio.set_event_loop(None)


@pytest.fixture
def upstream(io_loop):
    """A scripted upstream on a port of its own, in the test's loop."""
    scripted = ScriptedUpstream()
    io_loop.run_sync(scripted.start)
    yield scripted
    io_loop.run_sync(scripted.stop)
