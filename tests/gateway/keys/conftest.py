"""Fixtures of these tests."""

import pytest

from gateway.keys.limiter import Limiter
from tests.gateway.keys.limits import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limiter(clock):
    return Limiter(clock)
