"""Answers that are read whole before the client gets them: JSON documents, and streams
that are folded into one. What they hold comes from the budget of what clients send.
"""

from gateway.admission.body_budget import BodyBudget, BudgetLease, sender_of
from gateway.errors import GatewayOverloaded, UpstreamUnavailable
from gateway.keys.key import Key
from gateway.protocol.local_failures import protocol_error

# Pictures are the largest.
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024


class WholeAnswer:
    """What one such answer holds, within its client's share; `release` frees it."""

    def __init__(self, budget: BodyBudget, key: Key | None, network: str) -> None:
        self._budget = budget
        self._key, self._network = key, network
        self._lease: BudgetLease | None = None  # most answers need not be whole
        self.lost_bytes = 0  # that upstream had sent when there was no more room

    def take(self, size: int) -> None:
        """Make room for so much more. Raises UpstreamUnavailable, GatewayOverloaded."""
        if self._lease is None:
            sender = sender_of(self._key, self._network)
            self._lease = self._budget.open_lease(sender)
        held = self._lease.held
        # What could never be taken is refused for good, and not for now.
        if held + size > min(LARGEST_ANSWER_BYTES, self._budget.largest_share):
            raise UpstreamUnavailable(
                protocol_error("The upstream answer is too large")
            )
        try:
            self._lease.take(size)
        except GatewayOverloaded:
            self.lost_bytes = held + size
            raise

    def become(self, size: int) -> None:
        """It takes another form, and lets go of the one it had; raises as `take`."""
        self.release()
        self.take(size)

    def keep(self, size: int) -> BudgetLease:
        """As `become`, past the end of its turn: for the caller to release."""
        self.become(size)
        kept, self._lease = self._lease, None
        assert kept is not None
        return kept

    def release(self) -> None:
        if self._lease is not None:
            self._lease.release()
