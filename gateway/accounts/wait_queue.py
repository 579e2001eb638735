"""The bounded queue of requests that wait for an account, fair among their senders.

Under more load than the accounts can take, a queue always has its full length, and
everybody waits for all of it. So no more may wait than keep the wait short beside the
turn itself; the others are refused at once and come back later.

Nobody gets more of it by sending more: it is fair queueing by round robin (Nagle,
RFC 970). Each sender has a line of its own, first come, first served, and the lines
are served in turn. A full queue lets the longest line's last one go (longest queue
drop) for a sender who would still be behind that line.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease
from gateway.errors import GatewayError

LONGEST_QUEUE = 256
LONGEST_QUEUE_WAIT = 30.0
# Half as many wait as can run: the last of them waits for half a turn's time.
WAITING_SHARE = 0.5
# What one client may start at once, however small the accounts' caps are.
SHORTEST_QUEUE = 4
# Weight of the latest lease in the mean of their durations.
_NEWEST = 1 / 16

_Line = dict["Waiter", None]


@dataclass(slots=True, eq=False)
class Waiter:
    """One request in the queue."""

    demand: Demand
    accounts: frozenset[int]  # ids of those about to be free when it joined
    grant: "asyncio.Future[Lease]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    began: float = field(default_factory=time.monotonic)
    waits_for_home: bool = True  # takes no other account than its conversation's


class WaitQueue:
    """A line a sender; who leaves one gives back an unseen grant."""

    def __init__(self) -> None:
        self._lines: dict[int | str, _Line] = {}  # that to be served next is first
        self._lease_seconds = 0.0  # mean of the latest leases

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Waiter]:
        """Those who wait at the moment of the call, in the order to serve them in."""
        rounds = zip_longest(*map(tuple, self._lines.values()))
        return iter([one for one in chain.from_iterable(rounds) if one is not None])

    def wanted(self) -> dict[int, float]:
        """Accounts that are waited for, and since when (time.monotonic)."""
        found: dict[int, float] = {}
        for waiter in self:
            for account_id in waiter.accounts:
                since = found.get(account_id, waiter.began)
                found[account_id] = min(since, waiter.began)
        return found

    def record_lease(self, seconds: float) -> None:
        """Note how long a lease was held, for the estimate of the wait."""
        mean = self._lease_seconds
        self._lease_seconds = mean + (seconds - mean) * _NEWEST if mean else seconds

    def has_room(self, demand: Demand, accounts: Collection[Account]) -> bool:
        """Whether one more that waits for one of the accounts gets it in time."""
        return self._is_soon(demand, accounts) and not self._crowd(accounts)

    def replaceable(
        self, demand: Demand, accounts: Collection[Account]
    ) -> Waiter | None:
        """Who has to leave a full queue so that one more may join; None: nobody."""
        if not self._is_soon(demand, accounts):
            return None
        crowd = self._crowd(accounts)
        waiting = Counter(one.demand.sender for one in crowd)
        longest, length = waiting.most_common(1)[0] if waiting else ("", 0)
        # Not where that line would become the shorter one.
        if length < waiting[demand.sender] + 2:
            return None
        return next(one for one in reversed(crowd) if one.demand.sender == longest)

    @contextmanager
    def join(self, demand: Demand, accounts: Collection[Account]) -> Iterator[Waiter]:
        """Wait in the queue for as long as the context is open."""
        waiter = Waiter(demand, frozenset(account.id for account in accounts))
        self._lines.setdefault(demand.sender, {})[waiter] = None
        try:
            yield waiter
        except BaseException:
            # Cancelled, or out of time, in the moment of the grant.
            if _is_granted(waiter.grant):
                waiter.grant.result().release()
            raise
        finally:
            self._leave(waiter)
            waiter.grant.cancel()

    def grant(self, waiter: Waiter, lease: Lease) -> None:
        """Serve one; its sender's line is now behind all others."""
        line = self._lines.pop(waiter.demand.sender)
        self._lines[waiter.demand.sender] = line
        self._leave(waiter)
        waiter.grant.set_result(lease)

    def refuse(self, waiter: Waiter, error: GatewayError) -> None:
        """Have one leave with an error."""
        self._leave(waiter)
        waiter.grant.set_exception(error)

    def _leave(self, waiter: Waiter) -> None:
        sender = waiter.demand.sender
        line = self._lines.get(sender, {})
        line.pop(waiter, None)
        if not line:
            self._lines.pop(sender, None)

    def _rivals(self, accounts: Collection[Account]) -> list[Waiter]:
        ids = {account.id for account in accounts}
        return [waiter for waiter in self if not waiter.accounts.isdisjoint(ids)]

    def _crowd(self, accounts: Collection[Account]) -> list[Waiter]:
        """Those who leave no room for one more; none while there is some."""
        rivals = self._rivals(accounts)
        capacity = sum(account.cap for account in accounts)
        # Places that another process may give back are waited for besides.
        elsewhere = sum(one.cap - one.in_flight for one in accounts if one.share)
        if len(rivals) >= max(SHORTEST_QUEUE, capacity * WAITING_SHARE) + elsewhere:
            return rivals
        return list(self) if len(self) >= LONGEST_QUEUE else []

    def _is_soon(self, demand: Demand, accounts: Collection[Account]) -> bool:
        """Whether one more would be served within the longest wait, as it looks."""
        waiting = Counter(one.demand.sender for one in self._rivals(accounts))
        own = waiting[demand.sender]
        ahead = own + sum(
            min(count, own + 1)
            for sender, count in waiting.items()
            if sender != demand.sender
        )
        capacity = sum(account.cap for account in accounts)
        return (ahead + 1) * self._lease_seconds <= LONGEST_QUEUE_WAIT * capacity


def _is_granted(grant: "asyncio.Future[Lease]") -> bool:
    return grant.done() and not grant.cancelled() and grant.exception() is None
