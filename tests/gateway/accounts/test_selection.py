"""Which account is selected, and what is said when none is eligible."""

import asyncio
from collections import Counter

import pytest

from gateway.accounts.account import AccountKind
from gateway.accounts.eligibility import Demand
from gateway.errors import (
    NoAccounts,
    NoneInService,
    NotFound,
    UpgradeRequired,
    UsageLimitReached,
)
from gateway.keys.model_errors import ModelNotAvailable
from gateway.protocol.facts import Catalogue, Window
from tests.gateway.accounts.pools import (
    NOW,
    account,
    answered,
    cool,
    failure,
    lease,
    limit,
    refused,
)


def catalogue(*models):
    return Catalogue(frozenset(models))


def test_new_conversations_spread_by_what_is_left_times_capacity(pool):
    pool.replace([account(1, plan="plus"), account(2, plan="pro")])
    week = Window("secondary", 70.0, 10_080, NOW + 9_000)
    pool.observer.windows(pool.accounts[2], [week])
    taken = Counter(answered(pool, Demand()).account.id for _ in range(600))
    # 7,560 against 0.3 x 50,400: one in three goes to the smaller plan.
    assert 150 < taken[1] < 250


def test_account_near_the_end_of_a_window_takes_no_new_conversation(pool):
    pool.observer.windows(pool.accounts[1], [Window("primary", 96.0, 300, NOW + 600)])
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
    assert str(error).endswith("serve model 'new'; there are old")
    assert dict(error.passed_over) == {
        "a": "does not have model new",
        "b": "does not have model new",
    }


def test_a_missing_model_is_told_with_those_the_key_may_use(pool):
    pool.accounts[1].catalogue = catalogue("a-1", "b-1")
    pool.accounts[2].catalogue = catalogue("a-2", "b-2")
    demand = Demand(model="new", allows_model=lambda name: name.startswith("b-"))
    error = refused(pool, demand, ModelNotAvailable)
    assert str(error).endswith("; there are b-1, b-2")
    nothing = Demand(model="new", allows_model=lambda name: False)
    assert str(refused(pool, nothing, ModelNotAvailable)).endswith("model 'new'")
    pool.accounts[1].catalogue = catalogue(*(f"m-{number:03}" for number in range(99)))
    error = refused(pool, Demand(model="new"), ModelNotAvailable)
    assert str(error).endswith(", m-026, m-027 and 71 more")


def test_what_chatgpt_does_not_have_goes_to_an_account_with_a_key(pool):
    demand = Demand(model="m", kind=AccountKind.API_KEY)
    error = refused(pool, demand, NotFound)
    assert "an account with an API key" in str(error)
    paid = account(3, kind=AccountKind.API_KEY, priority=100)
    pool.replace([account(1), paid])
    assert answered(pool, demand).account.id == 3
    pool.accounts[1].catalogue = catalogue("chatgpt-s")
    paid.catalogue = catalogue("own")
    error = refused(pool, demand, ModelNotAvailable)
    assert str(error).endswith("; there are own")


def test_refused_model_is_not_sent_to_that_account_again(pool, clock):
    granted = lease(pool, Demand(model="m"))
    pool.observer.failure(granted, failure(400, "model_not_found"))
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


def test_accounts_in_trouble_say_who_found_it_and_until_when(pool):
    limit(pool, 1, 900)
    cool(pool.accounts[2], NOW, 60)
    error = refused(pool, Demand(), NoAccounts)
    assert error.retry_after == 60
    assert str(error) == (
        "No account of this gateway is available until 08:01:00 UTC "
        "(refused, says a judge, since 08:00:00 UTC)"
    )


def test_an_account_that_recovers_in_a_moment_is_waited_for(pool, clock):
    limit(pool, 1, 900)
    cool(pool.accounts[2], NOW, 4)

    async def scenario():
        asked = asyncio.create_task(pool.lease(Demand()))
        await asyncio.sleep(0)
        assert (asked.done(), pool.waiting) == (False, 1)
        clock.now += 4
        pool.serve_queue()
        return await asked

    assert asyncio.run(scenario()).account is pool.accounts[2]


def test_an_account_that_failed_here_is_not_waited_for(pool):
    """What the request met at it is also what cools it."""
    cool(pool.accounts[1], NOW, 2)
    cool(pool.accounts[2], NOW, 2)
    assert pool.count_eligible(Demand(), frozenset({1})) == 1
    assert pool.count_eligible(Demand(), frozenset({1, 2})) == 0


def test_paused_and_logged_out_accounts_are_named(pool):
    pool.accounts[1].health.pause()
    pool.accounts[2].health.require_login("refresh_token_reused")
    error = refused(pool, Demand(), NoneInService)
    assert str(error).startswith("All accounts are paused or require a new login; ")
    assert (error.code, error.retry_after) == ("accounts_paused", None)
    assert dict(error.passed_over)["b"] == "refresh_token_reused"


def test_the_error_says_what_all_accounts_lack(pool):
    for one in pool.accounts.values():
        one.health.require_login("refresh_token_reused")
    error = refused(pool, Demand(), NoneInService)
    assert (error.status, error.code) == (400, "login_required")
    assert "`run.py accounts login`" in str(error)
    for one in pool.accounts.values():
        one.health.pause()
    error = refused(pool, Demand(), NoneInService)
    assert (error.status, error.code) == (400, "accounts_paused")
    assert "`run.py accounts resume NAME`" in str(error)
    pool.replace([])
    error = refused(pool, Demand(), NoneInService)
    assert (error.status, error.code) == (400, "no_accounts_configured")
    assert "`run.py accounts login`" in str(error)


def test_what_time_mends_decides_before_what_it_does_not(pool):
    pool.accounts[1].health.pause()
    cool(pool.accounts[2], NOW, 60)
    refused(pool, Demand(), NoAccounts)
    limit(pool, 2, 900)
    refused(pool, Demand(), UsageLimitReached)


def test_keys_see_only_their_accounts(pool):
    only = Demand(allowed_accounts=frozenset({2}))
    assert {answered(pool, only).account.id for _ in range(10)} == {2}
    error = refused(pool, Demand(allowed_accounts=frozenset({9})), NoneInService)
    assert (error.status, error.code) == (400, "no_accounts_configured")
    assert "`run.py keys update NAME --accounts …`" in str(error)


def test_sockets_need_an_account_that_speaks_them(pool):
    pool.replace([account(1, websockets=False), account(2)])
    assert answered(pool, Demand(websocket=True)).account.id == 2
    assert pool.can_open_socket()
    # A short trouble is no reason to lose the client's sockets for good.
    cool(pool.accounts[2], NOW, 5)
    refused(pool, Demand(websocket=True), NoAccounts)
    assert pool.can_open_socket()
    # A long limit is, while another account could serve over HTTP.
    pool.accounts[2].health.resume()
    limit(pool, 2, 900)
    refused(pool, Demand(websocket=True), UpgradeRequired)
    pool.accounts[2].websockets = False
    refused(pool, Demand(websocket=True), UpgradeRequired)
    assert not pool.can_open_socket()
    # Nor does HTTP help when no account is in service: a frame says so.
    for one in pool.accounts.values():
        one.health.pause()
    assert pool.can_open_socket()
    pool.accounts[1].health.resume()
    assert not pool.can_open_socket()
    pool.replace([])
    assert pool.can_open_socket()
