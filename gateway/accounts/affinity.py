"""Bindings of conversations to accounts, by the identifiers a client sends.

A response id and a turn state are upstream's own words: the account that spoke
them *owns* them. Session, thread and cache key name a conversation, and all of
them lead to the same one. Every identifier is scoped by the API key, so no
tenant can name another's conversation. Time is an argument (unix seconds).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from gateway.accounts.bounded_cache import SharedCache, hash_key
from gateway.protocol.facts import Keys, scoped

MAX_OWNERS = 20_000
MAX_CONVERSATIONS = 80_000  # with the owners 100,000
MAX_AGE = 7 * 86_400.0
# A conversation that was away from its home for longer does not return.
LONGEST_AWAY = 300.0
# The date of use is written again only after an hour: a busy conversation would
# else cost one row per request, and only the seven days depend on it.
TOUCH_INTERVAL = 3_600.0


@dataclass(slots=True, eq=False)
class Conversation:
    """Which account a conversation belongs to, and which serves it for the moment.

    `fallback` serves while `home` cannot; it is remembered so that a conversation
    away from home is not spread over the whole pool. Until an account has answered
    (`answered_by`), nothing is lost by changing its home.
    """

    home: int
    used_at: float
    fallback: int | None = None
    answered_by: int | None = None
    away_since: float | None = None  # from its home, unix seconds
    attempts: int = 0  # under way
    is_moving: bool = False  # to its home, which is not stored for all yet
    known_at: float = 0.0  # when this process last wrote or read its row
    connection: int = 0  # of its client, over which its last turn came

    @property
    def is_bound(self) -> bool:
        """A home that nobody answered from lapses with the attempt that chose it."""
        return self.answered_by is not None or self.attempts > 0


class StoredBinding(NamedTuple):
    """One binding as the database keeps it; `used_at` in unix milliseconds."""

    key: str
    account_id: int
    used_at: int


class _Owner(NamedTuple):
    """The account of a response id or turn state; one object for all of an hour."""

    account_id: int
    used_at: float


class Bindings:
    """All bindings of the process; of whoever has most the longest unused go first.

    An owner takes 65 bytes, a conversation with three names 430.
    """

    def __init__(
        self,
        max_owners: int = MAX_OWNERS,
        max_conversations: int = MAX_CONVERSATIONS,
    ) -> None:
        self._owners: SharedCache[_Owner] = SharedCache(max_owners, self._forget)
        self._conversations: SharedCache[Conversation] = SharedCache(
            max_conversations, self._forget
        )
        self._latest: dict[int, _Owner] = {}  # by account
        self._dirty: dict[int, StoredBinding] = {}

    def __len__(self) -> int:
        return len(self._owners) + len(self._conversations)

    def owner(
        self, key_id: int | None, kind: str, value: str, now: float
    ) -> int | None:
        """The account that issued this response id ("response") or turn state."""
        name = scoped(key_id, kind, value)
        owner = self._owners.get(name)
        if owner is None:
            return None
        if owner.used_at < now - MAX_AGE:
            self._owners.drop(name)
            return None
        return owner.account_id

    def set_owner(
        self,
        key_id: int | None,
        kind: str,
        value: str,
        account_id: int,
        now: float,
        *,
        is_stored: bool = True,
    ) -> None:
        """`is_stored`: it is to have a row; a response's is that of the log."""
        name = scoped(key_id, kind, value)
        known = self._owners.get(name)
        if (
            known is None
            or known.account_id != account_id
            or now - known.used_at > TOUCH_INTERVAL
        ):
            self._put_owner(name, account_id, now)
            if is_stored:
                self._mark(name, account_id, now)

    def conversation(self, keys: Keys, now: float) -> tuple[Conversation | None, str]:
        """The conversation of a request, and the kind of identifier that named it."""
        for kind, name in keys:
            conversation = self._conversations.get(name)
            if conversation is None:
                continue
            if conversation.used_at < now - MAX_AGE:
                self._conversations.drop(name)
                continue
            return conversation, kind
        return None, ""

    def begin(self, keys: Keys, account_id: int, now: float) -> Conversation:
        """A new conversation under all names of its first request."""
        conversation = Conversation(account_id, now)
        for _, name in keys:
            self._put_conversation(name, conversation)
        return conversation

    def answer(
        self,
        keys: Keys,
        conversation: Conversation,
        account_id: int,
        lost_home: int | None,
        now: float,
    ) -> None:
        """An account has answered: the conversation is its own, or its guest."""
        home, away_since = conversation.home, conversation.away_since
        has_stayed = (
            account_id == conversation.fallback
            and away_since is not None
            and now - away_since > LONGEST_AWAY
        )
        if conversation.answered_by is None or home == lost_home or has_stayed:
            home = account_id
        self.confirm(keys, conversation, home, now)
        conversation.answered_by = account_id
        if home == account_id:
            conversation.fallback = conversation.away_since = None

    def confirm(
        self, keys: Keys, conversation: Conversation, home: int, now: float
    ) -> None:
        """Bind an answered conversation to `home`, under all these identifiers."""
        changed = conversation.home != home or conversation.answered_by is None
        stale = now - conversation.used_at > TOUCH_INTERVAL
        conversation.home = home
        conversation.is_moving = conversation.is_moving or changed
        if changed or stale:
            conversation.used_at = conversation.known_at = now
        for _, name in keys:
            is_known = self._conversations.get(name) is conversation
            if not is_known:
                self._put_conversation(name, conversation)
            if changed or stale or not is_known:
                self._mark(name, home, now)

    def dirty(self, limit: int = 1_000) -> list[StoredBinding]:
        """At most `limit` rows that changed; each is given out once."""
        return [self._dirty.pop(key) for key in list(islice(self._dirty, limit))]

    def restore(self, rows: Iterable[StoredBinding], now: float) -> None:
        """Load the bindings of an earlier process; rows oldest first."""
        for row in rows:
            used_at = row.used_at / 1_000
            if used_at < now - MAX_AGE:
                continue
            if row.key.split(":", 2)[1] in ("response", "turn"):
                self._put_owner(row.key, row.account_id, used_at)
            else:
                conversation = Conversation(
                    row.account_id, used_at, answered_by=row.account_id
                )
                self._put_conversation(row.key, conversation)

    def take(self, row: StoredBinding, now: float) -> None:
        """Load one that another process may have changed; what waits here is newer."""
        known = self._conversations.get(row.key)
        if known is None:
            self.restore([row], now)
        elif known.home != row.account_id and hash_key(row.key) not in self._dirty:
            known.home = known.answered_by = row.account_id
            known.fallback = known.away_since = None

    def _put_owner(self, name: str, account_id: int, used_at: float) -> None:
        owner = self._latest.get(account_id)
        if owner is None or not 0 <= used_at - owner.used_at <= TOUCH_INTERVAL:
            owner = self._latest[account_id] = _Owner(account_id, used_at)
        self._owners.put(name, owner)

    def _put_conversation(self, name: str, conversation: Conversation) -> None:
        self._conversations.put(name, conversation)

    def _mark(self, name: str, account_id: int, now: float) -> None:
        self._dirty[hash_key(name)] = StoredBinding(name, account_id, int(now * 1_000))

    def _forget(self, keys: Iterable[int]) -> None:
        """A row that waits to be written goes with its binding: `dirty` is bounded."""
        for key in keys:
            self._dirty.pop(key, None)
