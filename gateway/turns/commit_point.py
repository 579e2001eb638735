"""The commit point: what is held back, for how long, and what fails over.

Both transports read their events through it, so that the rule is written once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway.protocol.event_kinds import kind_of_event
from gateway.protocol.failure_kind import rules_of
from gateway.protocol.failures import event_failure
from gateway.protocol.local_failures import no_first_event
from gateway.upstream import UpstreamFault
from gateway.upstream.held_events import HeldBudget, HeldEvents


class CommitPoint:
    """Collects events until one may not be held back any longer, or they are many."""

    def __init__(self, hold_seconds: float, budget: HeldBudget) -> None:
        self.held = HeldEvents(budget)
        self._hold_seconds = hold_seconds
        self._holds_event = False
        self._committed = False
        self.failure_may_be_shown = False  # by the client, as upstream sent it

    def take(self, event_type: str, data: bytes, visible: bytes | None) -> bool:
        """Hold one event; whether the exchange is committed by it.

        `visible` is what the client gets of it, None for nothing. Raises
        UpstreamFault when a failure is the first thing upstream has to say.
        """
        if visible is not None:
            self.held.append(visible)
        self._holds_event = self._holds_event or bool(data)  # a comment says nothing
        if not data or kind_of_event(event_type).is_held:
            self._committed = self._committed or self.held.are_too_many
            return self._committed
        if not self._committed and event_type in ("error", "response.failed"):
            failure = event_failure(event_type, data, time.time())
            self.failure_may_be_shown = (
                event_type == "response.failed" and not rules_of(failure).is_usage_limit
            )
            raise UpstreamFault(failure.in_phase("first_event"))
        self._committed = True
        return True

    async def reach(
        self, read: Callable[[], Awaitable[None]], first_event_timeout: float
    ) -> None:
        """Call `read`, which feeds `take`, until the exchange is committed.

        Raises UpstreamFault when no event came within `first_event_timeout`.
        """
        if self._committed:
            return
        clock = asyncio.get_running_loop().time
        is_short = False
        try:
            async with asyncio.timeout(first_event_timeout) as deadline:
                while not self._committed:
                    if self._holds_event and not is_short:
                        is_short = True
                        deadline.reschedule(clock() + self._hold_seconds)
                    await read()
        except TimeoutError as error:
            if not self._holds_event:
                raise UpstreamFault(no_first_event()) from error
