"""Fixtures shared by all tests: the loop, the scripted upstream, a whole gateway."""

import asyncio
import signal

import pytest
from hypothesis import HealthCheck, settings
from tornado.ioloop import IOLoop

from gateway.demo.upstream import ScriptedUpstream
from tests.serving import Serving

pytest_plugins = ["tests.company"]

# Properties are not about time: the first run on a machine makes tables of Unicode,
# which on a busy one takes longer than an example may.
settings.register_profile(
    "gateway",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=60,  # of 100, the default: each run draws others
)
settings.load_profile("gateway")


# A shell that starts tests in the background has it ignored, by their programs, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "settings(**changes): settings of the gateway under test"
    )
    config.addinivalue_line(
        "markers", "accounts(*names): its accounts, instead of one and two"
    )


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


@pytest.fixture
def serving(io_loop, upstream, tmp_path, request):
    """A gateway with the accounts "one" and "two" of the upstream, and its client.

    The first account answers as long as nothing speaks against it.
    """
    settings = request.node.get_closest_marker("settings")
    accounts = request.node.get_closest_marker("accounts")
    made = Serving(upstream, tmp_path, **(settings.kwargs if settings else {}))

    names = accounts.args if accounts else ("one", "two")
    io_loop.run_sync(lambda: made.start(*names))
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def gateway(serving):
    """The Gateway of `serving`."""
    return serving.gateway


@pytest.fixture
def base_url(serving):
    """Where `serving` listens."""
    return serving.base_url
