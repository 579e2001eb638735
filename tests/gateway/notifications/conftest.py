import pytest

from tests.gateway.notifications.receivers import Receiver


@pytest.fixture
def receiver(io_loop):
    """Takes what is POSTed to it, in the test's loop."""
    made = Receiver()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)
