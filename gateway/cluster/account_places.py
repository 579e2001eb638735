"""AccountPlaces: this process's part of the caps that owners set on accounts.

As `SharedLimits` is for keys: a place is held by a request that runs, and what others
wait for is given back. Accounts without a cap of their own are not shared.
"""

from collections.abc import Iterable, Mapping

from gateway.accounts.account import Account
from gateway.accounts.pool import Pool
from gateway.events import Topic
from gateway.keys.shared.share import (
    JUST_NOW,
    NOTHING_GRANTED,
    Holding,
    Resource,
    Share,
)

_PREFIX = "turns-account:"


class AccountPlaces:
    """Used on the pool's loop."""

    def __init__(self, pool: Pool) -> None:
        self.lacking = Topic[None]()  # somebody waits for a place, or is waited for
        self._pool = pool
        self._is_shared = False
        self._dirty: set[Account] = set()
        self._new: set[Account] = set()  # of which nothing was asked for yet
        self._asked: dict[Resource, float] = {}
        pool.places_changed.subscribe(self._note_changed)

    @property
    def is_waiting(self) -> bool:
        """Whether anybody here waits, or is waited for."""
        return self._is_shared and bool(self._asked or self._pool.waiting)

    def begin(self) -> None:
        """Others serve, too: no more runs than what does, and what will be granted."""
        self._is_shared = True
        self._share_new()

    def begin_anew(self) -> None:
        """Others have taken over: what runs is left."""
        for account in self._shared():
            account.share = NOTHING_GRANTED._replace(granted=account.in_flight)

    def end(self) -> None:
        """Nobody else serves."""
        self._is_shared = False
        self._asked.clear()
        self._new.clear()
        for account in self._pool.accounts.values():
            account.share = None
        self._pool.serve_queue()

    def holdings(self) -> list[Holding]:
        """What is to be written down, and what is wanted or asked for with it."""
        if not self._is_shared:
            return []
        self._share_new()
        new, self._new = self._new, set()
        wanted = self._pool.wanted()
        dirty, self._dirty = self._dirty, set()
        found = []
        for account in self._shared():
            resource = resource_of(account)
            if account.id in wanted or account in new:
                began = wanted.get(account.id, JUST_NOW)
                found.append(self._holding(account, want=1, began=began))
            elif account in dirty or resource in self._asked:
                found.append(self._holding(account))
        return found

    def unwritten(self) -> list[Holding]:
        """Of every account that is shared: they are few."""
        return [self._holding(account) for account in self._shared()]

    def note_unwritten(self) -> None:
        """The database did not take the last of `holdings`: they come once more."""
        self._dirty.update(self._shared())

    def take(
        self, shares: Mapping[Resource, Share], asked: Mapping[Resource, float]
    ) -> bool:
        """Go by what was granted; whether something is to be given back."""
        if not self._is_shared:
            return False
        accounts = {resource_of(one): one for one in self._shared()}
        before = self._asked.keys()
        self._asked = {one: at for one, at in asked.items() if one in accounts}
        for resource, share in shares.items():
            if resource in accounts:
                accounts[resource].share = share
        self._pool.serve_queue()
        return any(
            not accounts[resource].is_full for resource in self._asked.keys() - before
        )

    def _holding(
        self, account: Account, *, want: int = 0, began: float = JUST_NOW
    ) -> Holding:
        resource = resource_of(account)
        is_frozen = resource in self._asked
        if is_frozen:
            self._freeze(account)
        held = account.in_flight
        return Holding(resource, account.cap, 0, held, want, began, is_frozen)

    def _freeze(self, account: Account) -> None:
        """Begin no more of what is asked for elsewhere, to give it back."""
        share = account.share or NOTHING_GRANTED
        granted = min(share.granted, account.in_flight)
        account.share = share._replace(granted=granted)

    def _note_changed(self, account: Account) -> None:
        self._dirty.add(account)
        is_asked = resource_of(account) in self._asked
        if is_asked:
            self._freeze(account)
        if is_asked or self._pool.waiting:
            self.lacking.publish(None)

    def _share_new(self) -> None:
        for account in self._pool.accounts.values():
            if account.concurrency and account.share is None:
                account.share = NOTHING_GRANTED._replace(granted=account.in_flight)
                self._new.add(account)

    def _shared(self) -> Iterable[Account]:
        accounts = self._pool.accounts.values()
        return [one for one in accounts if one.share is not None]


def resource_of(account: Account) -> Resource:
    """What members grant each other of an account."""
    return Resource(f"{_PREFIX}{account.id}")
