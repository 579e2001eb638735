"""Topics: a part publishes that something happened, and others subscribe to it.

A topic belongs to the part that publishes on it:

    TurnRunner.exchange_ended  every exchange, once, as its row of the request log
    Pool.account_changed       an account whose state may be worth storing
    Limiter.place_freed        a key of which a turn has ended
    ChannelQueue.settled       what became of an attempt to tell operators something
    Membership.changed         the numbers of the members that live
    Membership.taken_over      this process, silent for too long, is back
    SharedLimits.lacking       somebody waits for more of a limit, or is waited for
    SharedLimits.answered      what was granted may let waiting turns go on

Subscribers are called at once and in the order they came, on the publisher's stack:
they must not wait. One that raises is logged, and harms neither the publisher nor the
other subscribers: a turn does not fail because it could not be counted.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger("gateway.events")

T = TypeVar("T")


class Topic(Generic[T]):
    """One kind of event, and who is subscribed to it."""

    def __init__(self) -> None:
        self._subscribers: tuple[Callable[[T], None], ...] = ()
        # Asked before an event is built that costs something.
        self.has_subscribers = False

    def subscribe(self, subscriber: Callable[[T], None]) -> None:
        """Have it called with every event from now on; a second time is the first."""
        if subscriber not in self._subscribers:
            self._subscribers = (*self._subscribers, subscriber)
            self.has_subscribers = True

    def unsubscribe(self, subscriber: Callable[[T], None]) -> None:
        """Unknown subscribers are ignored."""
        self._subscribers = tuple(one for one in self._subscribers if one != subscriber)
        self.has_subscribers = bool(self._subscribers)

    def publish(self, event: T) -> None:
        """Call every subscriber; never raises."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                logger.exception("a subscriber failed")
