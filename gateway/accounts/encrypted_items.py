"""Encrypted items and the accounts that can read them.

Reasoning and compaction items carry `encrypted_content` that only the account which
made it can open. Clients send them back as history, so it matters whose they are
when a conversation moves. What is not known here passes; upstream refuses it with
`invalid_encrypted_content`, upon which all of it is taken for foreign.
"""

from collections.abc import Iterator
from typing import Any

from gateway.accounts.bounded_cache import BoundedCache, hash_key
from gateway.protocol.lenient_json import child, load_object

MARK = b'"encrypted_content"'
# A long conversation has some hundred such items; an entry takes 65 bytes.
MOST_ITEMS = 50_000


class EncryptedItems:
    """Who made which encrypted item; bounded, the longest unused are forgotten."""

    def __init__(self, most: int = MOST_ITEMS) -> None:
        self._makers: BoundedCache[int] = BoundedCache(most)

    def note(self, event_type: str, data: bytes, account_id: int) -> None:
        """Remember the maker of the item that an event announces as done."""
        if event_type == "response.output_item.done" and MARK in data:
            self.note_item(child(load_object(data), "item"), account_id)

    def note_item(self, item: Any, account_id: int) -> None:
        seal = _seal_of(item)
        if seal is not None:
            self._makers.put(seal, account_id)

    def compaction_maker(self, payload: dict[str, Any]) -> int | None:
        """The one account that can go on from a compacted history, if known."""
        for _, item in _sealed(payload, "compaction"):
            maker = self._maker(item)
            if maker is not None:
                return maker
        return None

    def foreign_reasoning(
        self, payload: dict[str, Any], account_id: int
    ) -> frozenset[int]:
        """Indexes of the `input` items that this account cannot read."""
        return frozenset(
            index
            for index, item in _sealed(payload, "reasoning")
            if self._maker(item) not in (None, account_id)
        )

    def _maker(self, item: dict[str, Any]) -> int | None:
        seal = _seal_of(item)
        return None if seal is None else self._makers.get(seal)


def all_reasoning(payload: dict[str, Any]) -> frozenset[int]:
    """Indexes of every encrypted reasoning item, whoever made it."""
    return frozenset(index for index, _ in _sealed(payload, "reasoning"))


def _sealed(payload: dict[str, Any], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    items = payload.get("input")
    if not isinstance(items, list):
        return
    for index, item in enumerate(items):
        if (
            isinstance(item, dict)
            and item.get("type") == kind
            and item.get("encrypted_content")
        ):
            yield index, item


def _seal_of(item: Any) -> int | None:
    content = item.get("encrypted_content") if isinstance(item, dict) else None
    if not isinstance(content, str) or not content:
        return None
    return hash_key(content)
