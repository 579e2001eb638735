"""The one line of requests that wait for an account: first come, first served.

Under more load than the accounts can take a line has always its full length, and
everybody waits for all of it. So no more may wait than keep the wait short beside the
turn itself; the others hear at once that they should come back.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand

Granted = TypeVar("Granted")

LONGEST_QUEUE = 256
LONGEST_QUEUE_WAIT = 30.0
# Half as many wait as can run: the last of them waits for half a turn's time.
WAITING_SHARE = 0.5
# What one client may start at once, however small the accounts' caps are.
SHORTEST_LINE = 4
# Weight of the latest turn in the mean of their lengths.
_NEWEST = 1 / 16


@dataclass(slots=True, eq=False)
class Waiter(Generic[Granted]):
    """One request in the line. `settled` gets what it waits for, or an error."""

    demand: Demand
    accounts: frozenset[int]  # about to be free, when it joined
    settled: "asyncio.Future[Granted]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    is_patient: bool = True  # holds out for its conversation's account


class WaitQueue(Generic[Granted]):
    """A bounded line; leaving it by any way gives back what was granted unseen."""

    def __init__(self, give_back: Callable[[Granted], None]) -> None:
        self._give_back = give_back
        self._waiters: OrderedDict[Waiter[Granted], None] = OrderedDict()
        self._turn_seconds = 0.0  # mean of the latest turns

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter[Granted]]:
        return iter(list(self._waiters))

    def note_turn(self, seconds: float) -> None:
        """A place at an account was held for so long."""
        mean = self._turn_seconds
        self._turn_seconds = mean + (seconds - mean) * _NEWEST if mean else seconds

    def has_room(self, accounts: Collection[Account]) -> bool:
        """Whether one more that waits for one of the accounts gets it in time."""
        ids = {account.id for account in accounts}
        ahead = sum(not waiter.accounts.isdisjoint(ids) for waiter in self._waiters)
        places = sum(account.cap for account in accounts)
        return (
            len(self) < LONGEST_QUEUE
            and ahead < max(SHORTEST_LINE, places * WAITING_SHARE)
            and (ahead + 1) * self._turn_seconds <= LONGEST_QUEUE_WAIT * places
        )

    @contextmanager
    def place(
        self, demand: Demand, accounts: Collection[Account]
    ) -> Iterator[Waiter[Granted]]:
        ids = frozenset(account.id for account in accounts)
        waiter: Waiter[Granted] = Waiter(demand, ids)
        self._waiters[waiter] = None
        try:
            yield waiter
        except BaseException:
            # Cancelled, or out of time, in the moment of the grant.
            if _is_granted(waiter):
                self._give_back(waiter.settled.result())
            raise
        finally:
            self._waiters.pop(waiter, None)
            waiter.settled.cancel()


def _is_granted(waiter: Waiter[Granted]) -> bool:
    future = waiter.settled
    return future.done() and not future.cancelled() and future.exception() is None
