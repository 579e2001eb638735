"""Choosing, waiting and being refused: the pool seen from its callers."""

import asyncio
import contextlib
import random
from collections import Counter

import pytest

from gateway.accounts.account import Account, AccountKind, Catalogue, Credentials
from gateway.accounts.affinity import Affinity
from gateway.accounts.eligibility import Demand
from gateway.accounts.pool import Pool
from gateway.accounts.wait_queue import LONGEST_QUEUE, SHORTEST_QUEUE, WaitQueue
from gateway.errors import (
    GatewayOverloaded,
    ModelNotAvailable,
    NoAccounts,
    PreviousResponseNotFound,
    UpgradeRequired,
    UsageLimitReached,
)
from gateway.protocol.facts import Failure, Window
from gateway.secret import Secret
from gateway.settings import Settings

NOW = 1_800_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pool(clock):
    pool = Pool(Settings.from_env(dotenv=""), clock, rng=random.Random(7))
    pool.replace([account(1), account(2)])
    return pool


def account(number, **fields):
    fields.setdefault("name", "abcdefgh"[number - 1])
    fields.setdefault("credentials", Credentials(refresh_token=Secret("r")))
    return Account(id=number, **fields)


def catalogue(*models):
    return Catalogue(frozenset(models))


def failure(status=None, code=None, **fields):
    fields.setdefault("phase", "headers")
    fields.setdefault("origin", "upstream")
    return Failure(message="no", status=status, code=code, **fields)


def limit(pool, number, seconds):
    pool.accounts[number].health.set_limit(NOW, "primary", NOW + seconds)


def session(name="s", **fields):
    return Demand(affinity=Affinity(session_id=name), **fields)


def lease(pool, demand=None):
    return asyncio.run(pool.lease(demand or Demand()))


def answered(pool, demand):
    """One good request; the lease, released."""
    granted = lease(pool, demand)
    pool.observe_success(granted)
    granted.release()
    return granted


def refused(pool, demand, error):
    with pytest.raises(error) as caught:
        lease(pool, demand)
    return caught.value


def test_release_is_idempotent(pool):
    granted = lease(pool)
    assert granted.account.in_flight == 1
    granted.release()
    granted.release()
    assert granted.account.in_flight == 0


def test_new_conversations_spread_by_what_is_left_times_capacity(pool):
    pool.replace([account(1, plan="plus"), account(2, plan="pro")])
    week = Window("secondary", 70.0, 10_080, NOW + 9_000)
    pool.observe_windows(pool.accounts[2], [week])
    taken = Counter(answered(pool, Demand()).account.id for _ in range(600))
    # 7,560 against 0.3 x 50,400: one in three goes to the smaller plan.
    assert 150 < taken[1] < 250


def test_account_near_the_end_of_a_window_takes_no_new_conversation(pool):
    pool.observe_windows(pool.accounts[1], [Window("primary", 96.0, 300, NOW + 600)])
    assert {answered(pool, Demand()).account.id for _ in range(20)} == {2}


def test_round_robin_takes_turns(pool):
    pool.strategy = "round_robin"
    assert [answered(pool, Demand()).account.id for _ in range(4)] == [1, 2, 1, 2]


def test_fill_first_stays_with_the_first_until_it_is_limited(pool):
    pool.strategy = "fill_first"
    assert {answered(pool, Demand()).account.id for _ in range(5)} == {1}
    limit(pool, 1, 600)
    assert answered(pool, Demand()).account.id == 2


def test_unknown_strategy_is_refused(pool):
    with pytest.raises(ValueError, match="capacity_weighted"):
        pool.strategy = "coin"


def test_higher_priority_number_serves_only_when_the_others_cannot(pool):
    key = account(3, kind=AccountKind.API_KEY, priority=100)
    pool.replace([account(1), key])
    assert {answered(pool, Demand()).account.id for _ in range(10)} == {1}
    limit(pool, 1, 600)
    assert answered(pool, Demand()).account.id == 3


def test_catalogue_decides_and_an_unknown_one_allows(pool):
    pool.accounts[1].catalogue = catalogue("old")
    assert answered(pool, Demand(model="new")).account.id == 2
    pool.accounts[2].catalogue = catalogue("old")
    error = refused(pool, Demand(model="new"), ModelNotAvailable)
    assert "'new'" in str(error)
    assert dict(error.passed_over) == {
        "a": "does not have model new",
        "b": "does not have model new",
    }


def test_refused_model_is_not_sent_to_that_account_again(pool, clock):
    granted = lease(pool, Demand(model="m"))
    pool.observe_failure(granted, failure(400, "model_not_found"))
    granted.release()
    other = answered(pool, Demand(model="m"))
    assert other.account is not granted.account
    assert granted.account.serves("other", NOW)
    clock.now += 3_600
    assert granted.account.serves("m", clock.now)


def test_all_limited_names_the_first_return(pool):
    limit(pool, 1, 900)
    limit(pool, 2, 300)
    pool.accounts[2].plan = "plus"
    error = refused(pool, Demand(), UsageLimitReached)
    assert (error.resets_at, error.plan_type) == (NOW + 300, "plus")
    told = pool.refusal(Demand())
    assert (told.resets_at, told.plan_type) == (NOW + 300, "plus")


def test_cooling_accounts_ask_for_a_short_wait(pool):
    limit(pool, 1, 900)
    pool.accounts[2].health.cool(NOW, 60, "broken")
    error = refused(pool, Demand(), NoAccounts)
    assert 1 <= error.retry_after <= 5


def test_an_account_that_recovers_in_a_moment_is_waited_for(pool, clock):
    limit(pool, 1, 900)
    pool.accounts[2].health.cool(NOW, 4, "broken")

    async def scenario():
        asked = asyncio.create_task(pool.lease(Demand()))
        await asyncio.sleep(0)
        assert (asked.done(), pool.waiting) == (False, 1)
        clock.now += 4
        pool.serve_queue()
        return await asked

    assert asyncio.run(scenario()).account is pool.accounts[2]


def test_paused_and_logged_out_accounts_are_named(pool):
    pool.accounts[1].health.pause()
    pool.accounts[2].health.require_login("refresh_token_reused")
    error = refused(pool, Demand(), NoAccounts)
    assert str(error) == "All accounts are paused or require a new login"
    assert dict(error.passed_over)["b"] == "refresh_token_reused"


def test_keys_see_only_their_accounts(pool):
    only = Demand(allowed_accounts=frozenset({2}))
    assert {answered(pool, only).account.id for _ in range(10)} == {2}
    refused(pool, Demand(allowed_accounts=frozenset({9})), NoAccounts)


def test_sockets_need_an_account_that_speaks_them(pool):
    pool.replace([account(1, websockets=False), account(2)])
    assert answered(pool, Demand(websocket=True)).account.id == 2
    assert pool.can_open_socket()
    # A short trouble is no reason to lose the client's sockets for good.
    pool.accounts[2].health.cool(NOW, 5, "broken")
    refused(pool, Demand(websocket=True), NoAccounts)
    assert pool.can_open_socket()
    # A long limit is, while another account could serve over HTTP.
    pool.accounts[2].health.resume()
    limit(pool, 2, 900)
    refused(pool, Demand(websocket=True), UpgradeRequired)
    pool.accounts[2].websockets = False
    refused(pool, Demand(websocket=True), UpgradeRequired)
    assert not pool.can_open_socket()


def test_bound_conversation_stays(pool):
    first = answered(pool, session()).account
    assert {answered(pool, session()).account for _ in range(20)} == {first}
    assert not pool.switches


def test_passing_outage_sends_elsewhere_and_home_again(pool, clock):
    home = answered(pool, session()).account
    home.health.cool(clock.now, 10, "broken")
    away = answered(pool, session())
    assert away.account is not home
    assert (away.switched_from, away.switch_cause) == (home.name, "cooling")
    clock.now += 11
    back = answered(pool, session())
    assert back.account is home
    assert back.switch_cause == "returned"
    assert pool.switches == {"cooling": 1, "returned": 1}


def test_conversation_away_from_home_stays_with_its_fallback(pool, clock):
    pool.replace([account(n) for n in range(1, 7)])
    home = answered(pool, session()).account
    home.health.cool(clock.now, 100, "broken")
    assert len({answered(pool, session()).account for _ in range(20)}) == 1


@pytest.mark.parametrize(("seconds", "moved"), [(30, False), (600, True)])
def test_limit_beyond_a_minute_moves_the_conversation(pool, clock, seconds, moved):
    home = answered(pool, session()).account
    home.health.set_limit(clock.now, "primary", clock.now + seconds)
    other = answered(pool, session()).account
    assert other is not home
    clock.now += 1_000
    assert answered(pool, session()).account is (other if moved else home)


@pytest.mark.parametrize("loss", ["login", "pause", "remove"])
def test_conversation_moves_when_its_account_is_gone(pool, loss):
    home = answered(pool, session()).account
    if loss == "login":
        home.health.require_login("account_deactivated")
    elif loss == "pause":
        home.health.pause()
    else:
        pool.replace([a for a in pool.accounts.values() if a is not home])
    moved = answered(pool, session())
    assert moved.account is not home
    home.health.logged_in()
    home.health.resume()
    pool.replace([account(1), account(2)])
    assert answered(pool, session()).account.id == moved.account.id
    assert sum(pool.switches.values()) == 1


def test_conversation_that_was_never_answered_is_bound_by_nothing(pool, clock):
    first = lease(pool, session())
    first.release()
    second = answered(pool, session(excluded=frozenset({first.account.id})))
    assert second.account is not first.account
    assert second.switched_from is None
    assert {answered(pool, session()).account for _ in range(9)} == {second.account}


def test_previous_response_binds_hard(pool, clock):
    granted = answered(pool, session())
    pool.bind(granted, response_id="resp_1")
    follow = Demand(affinity=Affinity(previous_response_id="resp_1"))
    assert {answered(pool, follow).account for _ in range(9)} == {granted.account}
    assert pool.count_eligible(follow, frozenset()) == 0
    granted.account.health.cool(clock.now, 20, "broken")
    refused(pool, follow, NoAccounts)
    socket = Demand(websocket=True, affinity=follow.affinity)
    refused(pool, socket, PreviousResponseNotFound)
    granted.account.health.require_login("gone")
    refused(pool, follow, PreviousResponseNotFound)


def test_no_key_steers_by_the_names_of_another(pool):
    pool.replace([account(n) for n in range(1, 9)])
    theirs = Affinity("resp_1", "turn_1", "s", "t", "c")
    granted = answered(pool, Demand(key_id=1, affinity=theirs))
    pool.bind(granted, response_id="resp_1", turn_state="turn_1")
    taken = {
        answered(pool, Demand(key_id=n, affinity=theirs)).account.id
        for n in range(2, 30)
    }
    assert len(taken) > 1


def test_turn_state_reaches_only_the_account_that_spoke_it(pool, clock):
    granted = answered(pool, session())
    pool.bind(granted, turn_state="turn_1")
    demand = Demand(affinity=Affinity(turn_state="turn_1", session_id="s"))
    same = answered(pool, demand)
    assert (same.account, same.turn_state) == (granted.account, "turn_1")
    assert same.reason == "turn_state"
    granted.account.health.cool(clock.now, 20, "broken")
    assert answered(pool, demand).turn_state is None


def test_pinned_means_this_account_or_none(pool):
    assert answered(pool, Demand(pinned=2)).account.id == 2
    limit(pool, 2, 600)
    refused(pool, Demand(pinned=2), UsageLimitReached)
    refused(pool, Demand(pinned=5), NoAccounts)
    assert answered(pool, Demand(pinned=2, probe=True)).account.id == 2


def test_first_come_first_served_when_all_are_full(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand())
        order = []

        async def wait(number):
            granted = await pool.lease(Demand())
            order.append(number)
            granted.release()

        tasks = [asyncio.create_task(wait(n)) for n in range(SHORTEST_QUEUE)]
        await asyncio.sleep(0)
        assert pool.waiting == SHORTEST_QUEUE
        held.release()
        await asyncio.gather(*tasks)
        assert order == list(range(SHORTEST_QUEUE))

    asyncio.run(scenario())
    assert pool.waiting == 0
    assert pool.accounts[1].in_flight == 0


def test_cancelled_in_the_moment_of_the_grant_leaks_nothing(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand())
        waiting = asyncio.create_task(pool.lease(Demand()))
        await asyncio.sleep(0)
        held.release()  # grants to the waiting task, which has not run yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())
    assert pool.accounts[1].in_flight == 0


@pytest.mark.parametrize(
    ("caps", "longest"),
    [((1,), SHORTEST_QUEUE), ((10, 10), 10), ((300, 300), LONGEST_QUEUE)],
)
def test_half_as_many_wait_as_can_run(pool, caps, longest):
    pool.replace([account(n, concurrency=cap) for n, cap in enumerate(caps, 1)])

    async def scenario():
        held = [await pool.lease(Demand()) for _ in range(sum(caps))]
        tasks = [asyncio.create_task(pool.lease(Demand())) for _ in range(longest)]
        await asyncio.sleep(0)
        assert pool.waiting == longest
        with pytest.raises(GatewayOverloaded) as caught:
            await pool.lease(Demand())
        assert len(caught.value.passed_over) == len(caps)
        assert f"at its cap of {caps[0]} requests" in caught.value.passed_over[0][1]
        held.pop().release()
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(pool.lease(Demand())))
        await asyncio.sleep(0)
        assert pool.waiting == longest
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lease in held:
            lease.release()

    asyncio.run(scenario())


def test_nobody_waits_who_would_be_refused_in_the_end():
    """Turns of two minutes, ten at a time: the second waits 24 s, the third longer."""
    ten, line = [account(1, concurrency=10)], WaitQueue()

    async def scenario():
        with contextlib.ExitStack() as stack:
            line.record_lease(120.0)
            for _ in range(2):
                assert line.has_room(ten)
                stack.enter_context(line.join(Demand(), ten))
            assert not line.has_room(ten)
            for _ in range(50):
                line.record_lease(10.0)
            assert line.has_room(ten)

    asyncio.run(scenario())


def test_who_waits_for_other_accounts_is_in_nobodys_way(pool):
    pool.replace([account(1, concurrency=1), account(2, concurrency=1)])
    one, two = (Demand(allowed_accounts=frozenset({n})) for n in (1, 2))

    async def scenario():
        for demand in (one, two):
            await pool.lease(demand)
        tasks = [asyncio.create_task(pool.lease(one)) for _ in range(SHORTEST_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(GatewayOverloaded):
            await pool.lease(one)
        tasks.append(asyncio.create_task(pool.lease(two)))
        await asyncio.sleep(0)
        assert pool.waiting == SHORTEST_QUEUE + 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())


def test_conversation_goes_elsewhere_when_too_many_wait_for_its_home(pool):
    pool.replace([account(1, concurrency=1), account(2)])
    pool.strategy = "fill_first"
    answered(pool, session())

    async def scenario():
        await pool.lease(Demand())
        home = Demand(allowed_accounts=frozenset({1}))
        tasks = [asyncio.create_task(pool.lease(home)) for _ in range(SHORTEST_QUEUE)]
        await asyncio.sleep(0)
        granted = await asyncio.wait_for(pool.lease(session()), 1)
        assert granted.account.id == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())


def test_those_who_wait_hear_of_a_limit(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand())
        waiting = asyncio.create_task(pool.lease(Demand()))
        await asyncio.sleep(0)
        pool.observe_failure(held, failure(429, "usage_limit_reached"))
        with pytest.raises(UsageLimitReached):
            await waiting
        held.release()

    asyncio.run(scenario())


def test_conversation_waits_for_its_full_home(pool):
    pool.replace([account(1, concurrency=1), account(2)])
    pool.strategy = "fill_first"
    answered(pool, session())

    async def scenario():
        held = await pool.lease(Demand())
        waiting = asyncio.create_task(pool.lease(session()))
        await asyncio.sleep(0)
        stranger = await pool.lease(Demand())
        assert stranger.account.id == 2
        held.release()
        assert (await waiting).account.id == 1

    asyncio.run(scenario())


def test_after_cooling_one_probe_goes_first(pool, clock):
    pool.replace([account(1)])
    pool.accounts[1].health.cool(NOW, 5, "broken")
    clock.now += 6

    async def scenario():
        probe = await pool.lease(Demand())
        assert probe.is_trial
        others = [asyncio.create_task(pool.lease(Demand())) for _ in range(3)]
        await asyncio.sleep(0)
        assert pool.waiting == 3
        pool.observe_success(probe)
        assert len(await asyncio.gather(*others)) == 3

    asyncio.run(scenario())


def test_a_401_is_judged_by_its_refresh(pool, clock):
    pool.replace([account(1)])
    granted = lease(pool)
    pool.observe_failure(granted, failure(401))
    assert granted.account.health.status(clock.now) == "active"
    pool.observe_failure(granted, failure(401))
    assert granted.account.health.status(clock.now) == "cooling"


def test_reload_keeps_what_is_known_live(pool):
    granted = lease(pool, session())
    pool.observe_failure(granted, failure(429, "usage_limit_reached"))
    stored = [account(1, name="new"), account(2, name="newer")]
    stored[0].health.pause()
    pool.replace(stored)
    assert pool.accounts[granted.account.id] is granted.account
    assert granted.account.in_flight == 1
    assert granted.account.health.limit is not None
    assert pool.find("new").health.status(NOW) == "paused"


def test_a_probe_that_is_given_up_makes_room_for_the_next(pool, clock):
    pool.replace([account(1)])
    pool.accounts[1].health.cool(NOW, 5, "broken")
    clock.now += 6
    for _ in range(3):
        granted = lease(pool)
        assert granted.is_trial
        granted.release()
