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

    def note(self, event_type: str, data: bytes, account_id: int) -> bool:
        """Remember who made the item an event announces; whether it is encrypted."""
        if event_type != "response.output_item.done" or MARK not in data:
            return False
        return self.note_item(child(load_object(data), "item"), account_id)

    def note_item(self, item: Any, account_id: int) -> bool:
        seal = _seal_of(item)
        if seal is not None:
            self._makers.put(seal, account_id)
        return seal is not None

    def makers(self, payload: dict[str, Any]) -> tuple[int | None, int | None]:
        """Who made the compaction of a history, and the last of its reasoning.

        Only the first can go on from it, and others cannot read the second.
        """
        makers: dict[str, int] = {}
        for kind in ("compaction", "reasoning"):
            for _, item in _sealed(payload, kind):
                maker = self._maker(item)
                if maker is not None:
                    makers[kind] = maker
                    if kind == "compaction":
                        break
        return makers.get("compaction"), makers.get("reasoning")

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
