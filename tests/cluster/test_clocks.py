"""Gateways whose machines' clocks are five seconds apart."""

import shutil
from pathlib import Path

import pytest

from tests.cluster.load import exhaust
from tests.gateway.postgres_server import need

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

KEYS = 12
TURNS = 20
LIBRARY = "faketime/libfaketime.so.1"


@pytest.fixture
def library():
    found = [one / LIBRARY for one in Path("/usr/lib").glob("*-linux-gnu")]
    found = [one for one in found if one.exists()]
    need(found and shutil.which("faketime"), "faketime (apt install faketime)")
    return found[0]


@pytest.mark.gen_test(timeout=120)
async def test_limits_hold_with_clocks_five_seconds_apart(company, upstream, library):
    made = [company.add() for _ in range(3)]
    for gateway, offset in zip(made, ("+5s", "+0s", "-5s"), strict=True):
        # What sleeps and beats goes by another clock, which no machine has wrong.
        gateway.env |= {
            "LD_PRELOAD": str(library),
            "FAKETIME": offset,
            "DONT_FAKE_MONOTONIC": "1",
        }
    await company.start(3)
    await exhaust(company, upstream, TURNS, KEYS)
