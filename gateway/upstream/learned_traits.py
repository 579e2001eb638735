"""What upstream last said of its endpoints, for the head of our own 101.

A client's socket is accepted before one to upstream is opened, so the head can only
tell what earlier answers told: of the model where that is known, else of any.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from gateway.accounts.bounded_cache import BoundedCache, hash_key

REASONING_INCLUDED = "x-reasoning-included"
LARGEST_MESSAGE = "x-codex-websocket-max-message-bytes"
# Models are the clients' texts; an upstream that takes any must not fill the memory.
MOST_LEARNED = 1_000
_LONGEST_VALUE = 32


class _Traits(NamedTuple):
    reasoning_included: str | None  # the header's value
    max_message_bytes: int | None


class LearnedTraits:
    """Learned from the heads of 200s and 101s, told to clients that open a socket."""

    def __init__(self, max_message_bytes: int) -> None:
        """`max_message_bytes`: the gateway's own bound."""
        self._own_bound = max_message_bytes
        self._learned = BoundedCache[_Traits](MOST_LEARNED)

    def observe(self, url: str, model: str | None, headers: Mapping[str, str]) -> None:
        """Take in the head of a good answer; `headers` do not mind the case."""
        included = headers.get(REASONING_INCLUDED, "").strip()
        is_sane = 0 < len(included) <= _LONGEST_VALUE and included.isascii()
        bound = _bound(headers.get(LARGEST_MESSAGE, ""))
        for key in {_key(url, None), _key(url, model)}:
            before = self._learned.get(key)
            traits = _Traits(
                included if is_sane and included.isprintable() else None,
                # Not every answer speaks of it: the last that did counts.
                bound or (before.max_message_bytes if before else None),
            )
            if traits != before:
                self._learned.put(key, traits)

    def knows_any(self, urls: Collection[str]) -> bool:
        """Whether something was learned of any of them."""
        return any(self._learned.get(_key(url, None)) for url in urls)

    def upgrade_headers(
        self, urls: Collection[str], model: str | None
    ) -> dict[str, str]:
        """For the 101 of a socket whose turns may go to any of `urls`."""
        found = [
            self._learned.get(_key(url, model)) or self._learned.get(_key(url, None))
            for url in urls
        ]
        traits = [known for known in found if known is not None]
        bounds = [known.max_message_bytes or self._own_bound for known in traits]
        told = {LARGEST_MESSAGE: str(min([self._own_bound, *bounds]))}
        included = {known.reasoning_included for known in traits}
        # Where they differ, without: to compact too late is worse than too early.
        if len(included) == 1 and (value := included.pop()) is not None:
            told[REASONING_INCLUDED] = value
        return told


def _key(url: str, model: str | None) -> int:
    return hash_key(f"{url} {model or ''}")


def _bound(value: str) -> int | None:
    """A positive number of bytes; None for whatever is not one."""
    value = value.strip()
    is_number = value.isascii() and value.isdecimal() and len(value) <= _LONGEST_VALUE
    return (int(value) or None) if is_number else None
