"""Usage is polled while accounts are used."""

import time

import pytest

from gateway.accounts.health import AccountStatus
from tests.gateway.polling.accounts_api import run


def test_usage_is_polled_once_a_minute_while_accounts_are_used():
    async def scenario(made):
        account, now = made.pool.accounts[1], time.time()
        assert made.usage.is_due(account, now)  # new
        await made.usage.poll_due()
        seen = account.windows["primary"]
        assert (seen.window.used_percent, seen.window.window_minutes) == (12.0, 300)
        assert not seen.live
        assert account.plan == "pro"
        assert len(made.upstream.requests) == 1  # the account with a key has no usage
        later = time.time() + 70
        assert not made.usage.is_due(account, later)  # idle
        account.last_choice += 1
        assert not made.usage.is_due(account, now + 50)
        assert made.usage.is_due(account, later)

    run(scenario)


def test_a_clock_that_was_ahead_puts_no_poll_off():
    async def scenario(made):
        now = time.time()
        await made.usage.poll_due()
        await made.catalogues.refresh_due()
        account, asked = made.pool.accounts[1], len(made.upstream.requests)
        account.last_choice += 1
        assert not made.usage.is_due(account, now)
        assert made.usage.is_due(account, now - 86_400)
        made.catalogues._due = {id: now + 86_400 for id in made.pool.accounts}
        await made.catalogues.refresh_due()
        assert len(made.upstream.requests) == asked + 2

    run(scenario)


def test_limited_account_is_polled_for_its_return():
    async def scenario(made):
        account = made.pool.accounts[1]
        made.upstream.used = 100.0
        await made.usage.poll(account)
        assert account.health.status(time.time()) is AccountStatus.LIMITED
        assert made.usage.is_due(account, time.time() + 70)

    run(scenario)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (401, AccountStatus.COOLING),
        (402, AccountStatus.LIMITED),
        (500, AccountStatus.ACTIVE),
    ],
)
def test_polls_judge_an_account_only_by_what_is_its_own(status, state):
    async def scenario(made):
        account = made.pool.accounts[1]
        made.upstream.status = status
        await made.usage.poll(account)
        assert account.health.status(time.time()) is state

    run(scenario)
