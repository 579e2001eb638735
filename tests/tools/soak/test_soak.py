"""Accounts in bad weather, clients that come and go: nobody notices but upstream."""

import os

import pytest

from tests.tools.soak.attacks import ATTACKS
from tests.tools.soak.clients import Habits
from tests.tools.soak.soak import Profile, soak

# Of a minute only: what leaks with every turn, some kilobytes, is more than that, and
# what an allocator keeps after a busy moment is less.
SHORT_GROWTH = 1.15
GROWTH = 1.05
# Few conversations that leave their accounts no rest, and nothing but that: the pool's.
BUSY = Habits(thinking=(0.3, 3.0), leaving=0.0, compacting=0.0)

# Two keys, with encrypted reasoning, tool loops and a compaction now and then.
QUICK = Habits(thinking=(0.2, 1.5), leaving=0.0, compacting=0.03)


def besieged(seconds):
    """One hostile key among fifty conversations of others; the accounts are well."""
    return Profile(
        seconds,
        seed(4),
        conversations=50,
        keys=("free", "other"),
        habits=QUICK,
        attackers=12,
    )


def seed(default):
    return int(os.environ.get("SOAK_SEED", default))


def judge(found, growth):
    print(found.table())
    assert not list(found.wrong(growth))


@pytest.mark.soak
@pytest.mark.gen_test(timeout=300)
async def test_a_minute_of_bad_weather(io_loop, tmp_path):
    judge(await soak(tmp_path, Profile(60.0, seed(1))), SHORT_GROWTH)


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=1200)
async def test_ten_minutes_without_rest_for_the_accounts(io_loop, tmp_path):
    profile = Profile(600.0, seed(2), conversations=50, keys=(), habits=BUSY)
    judge(await soak(tmp_path, profile), GROWTH)


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=2400)
async def test_half_an_hour_of_bad_weather(io_loop, tmp_path):
    judge(await soak(tmp_path, Profile(1800.0, seed(3))), GROWTH)


@pytest.mark.failures
@pytest.mark.gen_test(timeout=200)
async def test_half_a_minute_of_attacks_that_nobody_else_notices(io_loop, tmp_path):
    found = await soak(tmp_path, besieged(40.0))
    assert len(found.attacks) == len(ATTACKS)
    judge(found, SHORT_GROWTH)


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=1200)
async def test_ten_minutes_of_attacks_that_nobody_else_notices(io_loop, tmp_path):
    judge(await soak(tmp_path, besieged(600.0)), GROWTH)
