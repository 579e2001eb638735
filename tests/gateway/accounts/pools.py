"""Accounts, failures and leases of the pool under test, on a clock set by hand."""

import asyncio

import pytest

from gateway.accounts.account import Account, Credentials
from gateway.accounts.eligibility import Demand
from gateway.accounts.health import Mark
from gateway.protocol.facts import Affinity, Failure
from gateway.secret import Secret

NOW = 1_800_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def account(number, **fields):
    fields.setdefault("name", "abcdefgh"[number - 1])
    fields.setdefault("credentials", Credentials(refresh_token=Secret("r")))
    return Account(id=number, **fields)


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
    pool.observer.success(granted)
    granted.release()
    return granted


def refused(pool, demand, error):
    with pytest.raises(error) as caught:
        lease(pool, demand)
    return caught.value


def cool(account, now, seconds):
    """A judge finds the account in trouble."""
    mark = Mark("refused", "a judge", "broken", now, now + seconds)
    account.health.set_mark(mark)
