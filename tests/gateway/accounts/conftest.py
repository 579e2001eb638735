"""Fixtures of these tests."""

import random

import pytest

from gateway.accounts.pool import Pool
from gateway.settings import Settings
from tests.gateway.accounts.pools import Clock, account


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pool(clock):
    pool = Pool(Settings.from_env(dotenv=""), clock, rng=random.Random(7))
    pool.replace([account(1), account(2)])
    return pool
