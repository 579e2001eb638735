"""The one line of requests that wait for an account: first come, first served."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.accounts.candidates import Demand

Granted = TypeVar("Granted")


@dataclass(slots=True, eq=False)
class Waiter(Generic[Granted]):
    """One request in the line. `settled` gets what it waits for, or an error."""

    demand: Demand
    settled: "asyncio.Future[Granted]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    is_patient: bool = True  # holds out for its conversation's account


class Line(Generic[Granted]):
    """A bounded line; leaving it by any way gives back what was granted unseen."""

    def __init__(self, longest: int, give_back: Callable[[Granted], None]) -> None:
        self._longest = longest
        self._give_back = give_back
        self._waiters: OrderedDict[Waiter[Granted], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter[Granted]]:
        return iter(list(self._waiters))

    @property
    def is_full(self) -> bool:
        return len(self._waiters) >= self._longest

    @contextmanager
    def place(self, demand: Demand) -> Iterator[Waiter[Granted]]:
        waiter: Waiter[Granted] = Waiter(demand)
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
