"""Routing strategies: which eligible account takes a new conversation."""

import random
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from gateway.accounts.account import Account

Strategy = Literal["capacity_weighted", "round_robin", "fill_first"]
DEFAULT_STRATEGY: Strategy = "capacity_weighted"
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def choose(
    strategy: Strategy, able: Sequence[Account], now: float, rng: random.Random
) -> Account:
    """Choose among eligible accounts (not empty); a lower priority goes first."""
    first = min(account.priority for account in able)
    return _STRATEGIES[strategy](
        [account for account in able if account.priority == first], now, rng
    )


def _capacity_weighted(
    able: Sequence[Account], now: float, rng: random.Random
) -> Account:
    """At random, as likely as there is capacity left in the week.

    Accounts near the end of a window get new conversations only when all are.
    """
    fresh = [account for account in able if not account.is_draining(now)] or able
    weights = [account.capacity_left(now) for account in fresh]
    if not any(weights):
        return _round_robin(fresh, now, rng)
    return rng.choices(fresh, weights)[0]


def _round_robin(able: Sequence[Account], now: float, rng: random.Random) -> Account:
    return min(able, key=lambda account: (account.last_choice, account.id))


def _fill_first(able: Sequence[Account], now: float, rng: random.Random) -> Account:
    """The oldest account until it is used up, then the next."""
    return min(able, key=lambda account: account.id)


_STRATEGIES: dict[
    Strategy, Callable[[Sequence[Account], float, random.Random], Account]
] = {
    "capacity_weighted": _capacity_weighted,
    "round_robin": _round_robin,
    "fill_first": _fill_first,
}
