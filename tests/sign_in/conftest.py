"""Real clients that sign in, and who lets them."""

import pytest

from tests.e2e.conftest import account, codex, gateway, start_gateway
from tests.sign_in.signing import person_in

__all__ = ["account", "codex", "gateway", "start_gateway"]


@pytest.fixture
def ada(serving, io_loop):
    """A person with a seat in `serving`, who has signed in."""
    return io_loop.run_sync(lambda: person_in(serving))
