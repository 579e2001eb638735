import asyncio
import os
import sys
import threading
import time

import pytest

from gateway.errors import GatewayOverloaded
from gateway.sign_in import passwords
from gateway.sign_in.passwords import Passwords, WeakPassword
from tests.gateway.sign_in.conftest import CHEAP, PASSWORD


@pytest.fixture
def checking():
    made = Passwords()
    yield made
    made.close()


@pytest.mark.gen_test
async def test_a_password_is_kept_as_argon2id_and_found_again(checking):
    kept = await checking.hash("pässwörd of some length")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    # The same characters as another keyboard composes them.
    assert await checking.matches("pa\u0308sswo\u0308rd of some length", kept)
    assert not await checking.matches("another of some length", kept)


@pytest.mark.gen_test
@pytest.mark.parametrize("weak", ["", "eleven char", "x" * 257, "é" * 129])
async def test_what_is_too_short_or_too_long_is_refused(checking, weak):
    with pytest.raises(WeakPassword):
        await checking.hash(weak)
    assert not await checking.matches(weak, CHEAP)


@pytest.mark.gen_test
async def test_whoever_is_unknown_costs_what_a_user_costs(checking):
    began = time.perf_counter()
    kept = await checking.hash(PASSWORD)
    hashed = time.perf_counter()
    assert not await checking.matches(PASSWORD, None)
    # To refuse a hash that is none takes microseconds.
    assert time.perf_counter() - hashed > (hashed - began) / 10
    first, second = passwords._nobodys(), passwords._nobodys()
    assert first.split("$")[:4] == kept.split("$")[:4]
    assert first != second


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no ranks here")
@pytest.mark.gen_test
async def test_turns_go_before_passwords(checking):
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await checking._run(niceness) == min(19, niceness() + passwords.NICENESS)


@pytest.mark.gen_test
async def test_two_are_checked_at_a_time_and_a_bounded_line_waits(checking):
    held, running = threading.Event(), threading.Semaphore(0)

    def hold():
        running.release()
        held.wait()

    places = passwords.AT_A_TIME + passwords.MOST_IN_LINE
    line = [asyncio.ensure_future(checking._run(hold)) for _ in range(places)]
    await asyncio.sleep(0)
    with pytest.raises(GatewayOverloaded):
        await checking.matches(PASSWORD, CHEAP)
    for _ in range(passwords.AT_A_TIME):
        assert running.acquire(timeout=10)
    assert not running.acquire(blocking=False)
    line[-1].cancel()  # who leaves makes room
    await asyncio.wait([line[-1]])
    last = asyncio.ensure_future(checking.matches(PASSWORD, CHEAP))
    await asyncio.sleep(0)
    held.set()
    assert await last
    await asyncio.wait(line)


@pytest.mark.gen_test
async def test_strangers_leave_places_to_who_was_here_before(checking):
    held, running = threading.Event(), threading.Semaphore(0)

    def hold():
        running.release()
        held.wait()

    line = [asyncio.ensure_future(checking._run(hold)) for _ in range(2)]
    strangers = [
        asyncio.ensure_future(checking.matches(PASSWORD, CHEAP, is_stranger=True))
        for _ in range(2 * passwords.MOST_IN_LINE)
    ]
    await asyncio.sleep(0)
    known = asyncio.ensure_future(checking.matches(PASSWORD, CHEAP))
    await asyncio.sleep(0)
    held.set()
    assert await known
    told = await asyncio.gather(*strangers, return_exceptions=True)
    refused = [one for one in told if isinstance(one, GatewayOverloaded)]
    assert 0 < len(refused) < len(told)
    assert await checking.matches(PASSWORD, CHEAP, is_stranger=True)
    await asyncio.gather(*line)
