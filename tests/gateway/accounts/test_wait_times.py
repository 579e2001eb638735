"""How long requests wait for an account, on a loop whose time is virtual."""

import asyncio
import selectors

import pytest

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand
from gateway.accounts.pool import HOME_WAIT_SECONDS, Pool
from gateway.accounts.wait_queue import LONGEST_QUEUE_WAIT
from gateway.errors import GatewayOverloaded
from gateway.protocol.facts import Affinity
from gateway.settings import Settings
from tests.gateway.accounts.pools import cool

CONVERSATION = Demand(affinity=Affinity(session_id="s"))


class VirtualTime(selectors.SelectSelector):
    """Instead of blocking until a timer is due, it moves the time to it.

    A round of the loop takes a millisecond, so that busy waiting ends, too.
    """

    now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        self.now += 0.001 if ready else max(timeout or 0.0, 0.001)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.virtual = VirtualTime()
        super().__init__(self.virtual)

    def time(self):
        return self.virtual.now


def run(scenario):
    """Run it with a pool of two accounts; the first serves and is full at the start."""

    async def started():
        loop = asyncio.get_running_loop()
        settings = Settings.from_env(dotenv="")
        pool = Pool(settings, lambda: 1e9 + loop.time(), monotonic=loop.time)
        pool.strategy = "fill_first"
        pool.replace([Account(1, "a", concurrency=1), Account(2, "b", concurrency=1)])
        held = await pool.lease(CONVERSATION)
        pool.observer.success(held)
        await scenario(pool, held, loop.time)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(started())


def test_a_conversation_waits_for_its_home_and_then_goes_elsewhere():
    async def scenario(pool, held, time):
        lease = await pool.lease(CONVERSATION)
        assert lease.account.id == 2
        assert time() == pytest.approx(HOME_WAIT_SECONDS, abs=0.1)

    run(scenario)


def test_a_home_that_is_free_in_time_serves_its_conversation():
    async def scenario(pool, held, time):
        asyncio.get_running_loop().call_later(HOME_WAIT_SECONDS - 1, held.release)
        assert (await pool.lease(CONVERSATION)).account.id == 1
        assert time() == pytest.approx(HOME_WAIT_SECONDS - 1, abs=0.1)

    run(scenario)


def test_the_wait_for_any_account_has_an_end():
    async def scenario(pool, held, time):
        await pool.lease(Demand())
        with pytest.raises(GatewayOverloaded, match="none became free in time"):
            await pool.lease(Demand())
        assert time() == pytest.approx(LONGEST_QUEUE_WAIT, abs=0.1)
        assert pool.waiting == 0

    run(scenario)


def test_an_account_that_recovers_by_itself_ends_the_wait():
    async def scenario(pool, held, time):
        cool(pool.accounts[2], 1e9, 3.0)
        assert (await pool.lease(Demand())).account.id == 2
        assert time() == pytest.approx(3.0, abs=0.1)

    run(scenario)
