"""Encrypted items and the accounts that can read them.

Reasoning and compaction items carry `encrypted_content` that only the account which
made it can open. Clients send them back as history, so it matters whose they are
when a conversation moves. What is not known here passes; upstream refuses it with
`invalid_encrypted_content`, upon which all of it is taken for foreign. Each API key
has a share of its own: none can push out, or find, what others' answers held.
"""

from collections.abc import Iterator
from typing import Any

from gateway.accounts.bounded_cache import SharedCache
from gateway.protocol.lenient_json import child, load_object

_Key = int | None  # the number of an API key
_Payload = dict[str, Any]
MARK = b'"encrypted_content"'
_REASONING = ("reasoning",)
_SEALED = ("compaction", "reasoning")
# A long conversation has some hundred such items; an entry takes 65 bytes.
MOST_ITEMS = 50_000


class EncryptedItems:
    """Who made which encrypted item; of who has most, the longest unused go first."""

    def __init__(self, most: int = MOST_ITEMS) -> None:
        self._makers: SharedCache[int] = SharedCache(most)

    def note(self, key: _Key, event_type: str, data: bytes, account_id: int) -> bool:
        """Remember who made the item an event announces; whether it is encrypted."""
        if event_type != "response.output_item.done" or MARK not in data:
            return False
        return self.note_item(key, child(load_object(data), "item"), account_id)

    def note_item(self, key: _Key, item: Any, account_id: int) -> bool:
        name = _name_of(key, item)
        if name is not None:
            self._makers.put(name, account_id)
        return name is not None

    def makers(self, key: _Key, payload: _Payload) -> tuple[int | None, int | None]:
        """Who made the compaction of a history, and the last of its reasoning.

        Only the first can go on from it, and others cannot read the second.
        """
        compacted_by = reasoned_by = None
        for _, item in _sealed(payload, _SEALED):
            if item["type"] == "reasoning":
                reasoned_by = self._maker(key, item) or reasoned_by
            else:
                compacted_by = compacted_by or self._maker(key, item)
        return compacted_by, reasoned_by

    def foreign_reasoning(
        self, key: _Key, payload: _Payload, account_id: int
    ) -> frozenset[int]:
        """Indexes of the `input` items that this account cannot read."""
        return frozenset(
            index
            for index, item in _sealed(payload, _REASONING)
            if self._maker(key, item) not in (None, account_id)
        )

    def _maker(self, key: _Key, item: dict[str, Any]) -> int | None:
        name = _name_of(key, item)
        return None if name is None else self._makers.get(name)


def all_reasoning(payload: _Payload) -> frozenset[int]:
    """Indexes of every encrypted reasoning item, whoever made it."""
    return frozenset(index for index, _ in _sealed(payload, _REASONING))


def _sealed(
    payload: _Payload, kinds: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Any]]]:
    items = payload.get("input")
    if not isinstance(items, list):
        return
    for index, item in enumerate(items):
        if (
            isinstance(item, dict)
            and item.get("type") in kinds
            and item.get("encrypted_content")
        ):
            yield index, item


def _name_of(key: _Key, item: Any) -> str | None:
    content = item.get("encrypted_content") if isinstance(item, dict) else None
    return f"{key or 0}:{content}" if isinstance(content, str) and content else None
