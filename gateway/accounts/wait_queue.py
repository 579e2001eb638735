"""The bounded queue of requests that wait for an account: first come, first served.

Under more load than the accounts can take, a queue always has its full length, and
everybody waits for all of it. So no more may wait than keep the wait short beside the
turn itself; the others are refused at once and come back later.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease

LONGEST_QUEUE = 256
LONGEST_QUEUE_WAIT = 30.0
# Half as many wait as can run: the last of them waits for half a turn's time.
WAITING_SHARE = 0.5
# What one client may start at once, however small the accounts' caps are.
SHORTEST_QUEUE = 4
# Weight of the latest lease in the mean of their durations.
_NEWEST = 1 / 16


@dataclass(slots=True, eq=False)
class Waiter:
    """One request in the queue."""

    demand: Demand
    accounts: frozenset[int]  # ids of those about to be free when it joined
    grant: "asyncio.Future[Lease]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    waits_for_home: bool = True  # takes no other account than its conversation's


class WaitQueue:
    """Requests in the order they came; one that leaves gives back an unseen grant."""

    def __init__(self) -> None:
        self._waiters: OrderedDict[Waiter, None] = OrderedDict()
        self._lease_seconds = 0.0  # mean of the latest leases

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter]:
        """Those who still wait, at the moment of the call."""
        return iter([one for one in self._waiters if not one.grant.done()])

    def record_lease(self, seconds: float) -> None:
        """Note how long a lease was held, for the estimate of the wait."""
        mean = self._lease_seconds
        self._lease_seconds = mean + (seconds - mean) * _NEWEST if mean else seconds

    def has_room(self, accounts: Collection[Account]) -> bool:
        """Whether one more that waits for one of the accounts gets it in time."""
        ids = {account.id for account in accounts}
        ahead = sum(not waiter.accounts.isdisjoint(ids) for waiter in self._waiters)
        capacity = sum(account.cap for account in accounts)
        return (
            len(self) < LONGEST_QUEUE
            and ahead < max(SHORTEST_QUEUE, capacity * WAITING_SHARE)
            and (ahead + 1) * self._lease_seconds <= LONGEST_QUEUE_WAIT * capacity
        )

    @contextmanager
    def join(self, demand: Demand, accounts: Collection[Account]) -> Iterator[Waiter]:
        """Wait in the queue for as long as the context is open."""
        waiter = Waiter(demand, frozenset(account.id for account in accounts))
        self._waiters[waiter] = None
        try:
            yield waiter
        except BaseException:
            # Cancelled, or out of time, in the moment of the grant.
            if _is_granted(waiter.grant):
                waiter.grant.result().release()
            raise
        finally:
            self._waiters.pop(waiter, None)
            waiter.grant.cancel()


def _is_granted(grant: "asyncio.Future[Lease]") -> bool:
    return grant.done() and not grant.cancelled() and grant.exception() is None
