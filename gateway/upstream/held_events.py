"""Events that are held back before an answer begins, within bounds.

The bounds are one turn's and those of all turns together.
"""

# What upstream says before it begins is some 100 kB; more than these, and it leaves.
HELD_BYTES = 1024 * 1024
HELD_BYTES_OF_ALL = 64 * 1024 * 1024
# What Python needs for an event besides its bytes.
_OVERHEAD = 64


class HeldBudget:
    """Bytes that all turns together hold back."""

    def __init__(self, limit: int = HELD_BYTES_OF_ALL) -> None:
        self.limit = limit
        self.used = 0


class HeldEvents:
    """One turn's; whoever holds them frees their part of the budget."""

    def __init__(self, budget: HeldBudget) -> None:
        self._budget = budget
        self._events: list[bytes] = []
        self._counted = 0

    def append(self, event: bytes) -> None:
        self._events.append(event)
        size = len(event) + _OVERHEAD
        self._counted += size
        self._budget.used += size

    @property
    def are_too_many(self) -> bool:
        """Whether they may not be held back any longer."""
        budget = self._budget
        return self._counted > HELD_BYTES or budget.used > budget.limit

    def free(self) -> None:
        """Nothing is held back any longer: it is on its way, or not needed."""
        self._budget.used -= self._counted
        self._counted = 0

    def take(self) -> bytes:
        """All of them, once."""
        events, self._events = self._events, []
        return b"".join(events)
