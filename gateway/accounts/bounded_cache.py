"""A bounded cache that evicts what was not used of late, in few bytes an entry."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

# Two digits of Python's integers: 32 bytes with their object, where the text has 100.
# Of 100,000 names two share a key once in 200 million times, and nobody can bring
# that about: the hash has a secret of the process in it.
_BITS = (1 << 60) - 1


def hash_key(name: str) -> int:
    """A short key for a name, valid in this process only."""
    return hash(name) & _BITS


class BoundedCache(Generic[T]):
    """At most so many values by key; of these the half used last is always there.

    A list in the order of use would take three times the memory. So there are two
    generations: what is used is in the young one, and when that is full, what was
    not used since it began is forgotten as a whole.
    """

    def __init__(
        self, most: int, forget: Callable[[Iterable[int]], None] | None = None
    ) -> None:
        """`forget` is called with the keys that are evicted."""
        self._half = most // 2
        self._forget = forget
        self._young: dict[int, T] = {}
        self._old: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: int) -> T | None:
        """The value; reading it counts as use."""
        value = self._young.get(key)
        if value is None and key in self._old:
            value = self._old[key]
            self.put(key, value)
        return value

    def put(self, key: int, value: T) -> None:
        """Store the value as the one used last."""
        self._old.pop(key, None)
        if key not in self._young and len(self._young) >= self._half:
            if self._forget is not None:
                self._forget(self._old)
            self._old, self._young = self._young, {}
        self._young[key] = value

    def drop(self, key: int) -> None:
        self._young.pop(key, None)
        self._old.pop(key, None)


class SharedCache(Generic[T]):
    """At most so many values by name; whoever holds the most forgets first.

    The owner of a name is what stands before its first colon: nobody can push out
    what others hold.
    """

    def __init__(
        self, most: int, forget: Callable[[Iterable[int]], None] | None = None
    ) -> None:
        """`forget` is called with the keys that are evicted."""
        self._most = most
        self._forget = forget
        self._size = 0
        self._shares: dict[str, dict[int, T]] = {}  # by owner, the last used last

    def __len__(self) -> int:
        return self._size

    def get(self, name: str) -> T | None:
        """The value; reading it counts as use."""
        share = self._shares.get(name[: name.index(":")])
        if share is None:
            return None
        key = hash(name) & _BITS
        value = share.pop(key, None)
        if value is not None:
            share[key] = value
        return value

    def put(self, name: str, value: T) -> None:
        """Store the value as the one its owner used last."""
        share = self._shares.setdefault(name[: name.index(":")], {})
        key = hash(name) & _BITS
        self._size += share.pop(key, None) is None
        share[key] = value
        if self._size > self._most:
            largest = max(self._shares.values(), key=len)
            oldest = next(iter(largest))
            del largest[oldest]
            self._size -= 1
            if self._forget is not None:
                self._forget((oldest,))

    def drop(self, name: str) -> None:
        share = self._shares.get(name[: name.index(":")], {})
        self._size -= share.pop(hash_key(name), None) is not None
