"""Body budget: the memory for what clients are sending, shared fairly among them.

Whoever collects what a client sends, or an answer for it that has to be whole, holds a
lease, and takes before it keeps a byte:

    lease = budget.open_lease(sender_of(key, network))
    lease.take(size)         # GatewayOverloaded: nothing was taken, drop the bytes
    lease.give_back(size)    # a part that is not needed after all
    lease.note_arrival()     # one whole body or message: the sender is known now
    lease.release()          # the rest; again and again without harm

A lease may be kept as long as its connection: what counts is what it holds. All of it
belongs to the event loop.
"""

from typing import NamedTuple

from gateway.accounts.bounded_cache import BoundedCache, hash_key
from gateway.errors import GatewayOverloaded
from gateway.keys.key import Key

# Addresses that have sent a whole body; some hundred kilobytes of memory.
_MOST_KNOWN = 8192


class Sender(NamedTuple):
    """Whom a share belongs to."""

    name: str
    has_key: bool

    @property
    def key_id(self) -> int | None:
        return int(self.name.removeprefix("key ")) if self.has_key else None


def sender_of(key: Key | None, network: str) -> Sender:
    """The key; only without one the network, as the trusted proxies name it."""
    if key is not None:
        return Sender(f"key {key.id}", has_key=True)
    return Sender(network, has_key=False)


class BodyBudget:
    """Bytes that clients' bodies, unfinished messages and whole answers may hold.

    A sender holds at most as much as remains free: half when it is alone, less the
    fuller the budget is, so there is always some for the next one (dynamic
    thresholds; Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998,
    with a factor of 1). Addresses without a key that have not yet sent a whole body
    hold at most half together, however many they are.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._of_sender: dict[Sender, int] = {}
        self._of_unknown = 0
        self._known = BoundedCache[bool](_MOST_KNOWN)
        self.used = 0

    @property
    def largest_share(self) -> int:
        """What one sender may hold when there is no other."""
        return self._limit // 2

    def open_lease(self, sender: Sender) -> "BudgetLease":
        """A lease that holds nothing yet."""
        is_known = sender.has_key or self._known.get(hash_key(sender.name)) is True
        return BudgetLease(self, sender, is_known=is_known)

    def take(self, sender: Sender, size: int, *, is_known: bool) -> None:
        """Only leases call this, and `give_back`. Raises GatewayOverloaded."""
        free = self._limit - self.used - size
        if free < 0:
            raise GatewayOverloaded("The gateway is reading too many large bodies")
        own = self._of_sender.get(sender, 0) + size
        if own > free:
            raise GatewayOverloaded("This client's requests and answers hold too much")
        if not is_known:
            if self._of_unknown + size > self._limit // 2:
                raise GatewayOverloaded(
                    "The gateway is reading too many bodies of clients new to it"
                )
            self._of_unknown += size
        self._of_sender[sender] = own
        self.used += size

    def give_back(self, sender: Sender, size: int, *, is_known: bool) -> None:
        self.used -= size
        if not is_known:
            self._of_unknown -= size
        own = self._of_sender.pop(sender, 0) - size
        if own > 0:
            self._of_sender[sender] = own

    def note_arrival(self, sender: Sender) -> None:
        """A network has sent a whole body: its next ones come before strangers'."""
        self._known.put(hash_key(sender.name), True)


class BudgetLease:
    """What one body, unfinished message or whole answer holds of the budget."""

    def __init__(self, budget: BodyBudget, sender: Sender, *, is_known: bool) -> None:
        self._budget = budget
        self._sender = sender
        self._is_known = is_known
        self.held = 0

    def take(self, size: int) -> None:
        """Raises GatewayOverloaded, and has taken nothing then."""
        self._budget.take(self._sender, size, is_known=self._is_known)
        self.held += size

    def give_back(self, size: int) -> None:
        size = min(size, self.held)  # nothing more, once it was released
        self._budget.give_back(self._sender, size, is_known=self._is_known)
        self.held -= size

    def note_arrival(self) -> None:
        """All that was to arrive has."""
        if not self._sender.has_key:
            self._budget.note_arrival(self._sender)

    def release(self) -> None:
        """Give back all that is held."""
        if self.held:
            self.give_back(self.held)
