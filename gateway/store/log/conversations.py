"""Conversations: what each used, at which accounts, and paid twice for moving.

A row each, written with the log's; the oldest go when there are too many.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import peewee as pw

from gateway.store.database import execute_many, select
from gateway.store.log.log_rows import COLUMNS, Cleaned, LogRow, insert
from gateway.store.log.minutes import has_moved
from gateway.store.log.queries import Record, equal_to, select_rows, where
from gateway.store.models import BaseModel

CONVERSATIONS_KEPT = 100_000
# Upstream keeps what it has read for about so long: a turn that comes later would
# have paid for it at its own account, too.
CACHE_MS = 3_600_000
_PRICE_SCALE = 1_000_000  # a rate is in millionths of a micro-dollar per token
_MOST_ACCOUNTS = 20  # that are named of one conversation


class ConversationRow(BaseModel):
    """Sums over the turns of one conversation. Never a word of it."""

    id = pw.BigAutoField()
    name = pw.CharField(max_length=64, unique=True)  # as in `request_log`
    api_key_id = pw.IntegerField(null=True)
    first_at = pw.BigIntegerField()
    last_at = pw.BigIntegerField()
    accounts = pw.CharField(max_length=255)  # JSON list of numbers, as they came
    account_id = pw.IntegerField()  # the last one
    model = pw.CharField(max_length=120)  # the last one
    last_input = pw.BigIntegerField()  # tokens of the last turn
    turns = pw.BigIntegerField()
    errors = pw.BigIntegerField()
    switches = pw.BigIntegerField()
    input_tokens = pw.BigIntegerField()
    cached_tokens = pw.BigIntegerField()
    output_tokens = pw.BigIntegerField()
    cost_microdollars = pw.BigIntegerField()
    unpriced = pw.BigIntegerField()  # turns whose cost is not known
    # What an account read anew that another one had in its cache, and what that cost.
    repaid_tokens = pw.BigIntegerField()
    repaid_microdollars = pw.BigIntegerField()

    class Meta:
        table_name = "conversation"
        # Serve the list, of all and of one key, newest first; retention the first.
        indexes = ((("last_at", "id"), False), (("api_key_id", "last_at", "id"), False))


# The list of those that have moved.
ConversationRow.add_index(
    ConversationRow.index(
        ConversationRow.last_at,
        ConversationRow.id,
        name="conversation_by_switched",
        where=ConversationRow.switches > 0,
    )
)

_FIELDS = tuple(one.name for one in ConversationRow._meta.sorted_fields[1:])
_ADDED = _FIELDS[_FIELDS.index("turns") :]
_LATEST = ("first_at", "last_at", "accounts", "account_id", "model", "last_input")
_GROW = insert("conversation", _FIELDS) + (
    " ON CONFLICT (name) DO UPDATE SET "
    + ", ".join(
        [f"{name} = EXCLUDED.{name}" for name in _LATEST]
        + [f"{name} = conversation.{name} + EXCLUDED.{name}" for name in _ADDED]
    )
)
_of_turn = itemgetter(
    *map(
        COLUMNS.index,
        (
            *("conversation", "account_id", "is_prewarm", "created_at", "api_key_id"),
            *("status", "model", "input_tokens", "cached_tokens", "output_tokens"),
            "cost_microdollars",
        ),
    )
)


@dataclass(slots=True)
class _Growth:
    """What a conversation was before, and what its new turns add."""

    first_at: int
    last_at: int = 0
    accounts: list[int] = field(default_factory=list)
    last_input: int = 0
    key: int | None = None
    account: int = 0
    model: str = ""
    sums: list[tuple[int, ...]] = field(default_factory=list)  # of each turn

    def row(self, name: str) -> tuple[Any, ...]:
        return (
            *(name, self.key, self.first_at, self.last_at, json.dumps(self.accounts)),
            *(self.account, self.model, self.last_input),
            *map(sum, zip(*self.sums, strict=True)),
        )

    def take(self, turn: tuple[Any, ...], told: LogRow) -> None:
        """One more turn, in the order of their ends."""
        at, self.key, status, model, asked, cached, answered, cost = turn
        moved = has_moved(told)
        repaid = self._repaid(at, asked, cached) if moved else 0
        rate = told.get("cached_discount") or 0
        is_unpriced = cost is None and asked + answered > 0
        spent = (asked, cached, answered, cost or 0, is_unpriced)
        again = (repaid, repaid * rate // _PRICE_SCALE)
        self.sums.append((1, status == "error", moved, *spent, *again))
        self.first_at = min(self.first_at, at)
        self.last_at = max(self.last_at, at)
        self.model = model or self.model
        if status == "success" and asked:
            self.last_input = asked

    def _repaid(self, at: int, asked: int, cached: int) -> int:
        if at - self.last_at > CACHE_MS:
            return 0
        return max(0, min(self.last_input, asked) - cached)

    def note_account(self, account: int) -> None:
        self.account = account
        if account not in self.accounts and len(self.accounts) < _MOST_ACCOUNTS:
            self.accounts.append(account)


def write_conversations(
    database: pw.Database, rows: Iterable[Cleaned], logged: Iterable[LogRow]
) -> None:
    """Add turns that an account had, inside the caller's transaction."""
    turns = [
        (name, account, turn, told)
        for (name, account, is_prewarm, *turn), told in zip(
            map(_of_turn, rows), logged, strict=True
        )
        if name and account and not is_prewarm
    ]
    grown = _known(database, sorted({name for name, *_ in turns}))
    for name, account, turn, told in turns:
        one = grown.get(name)
        if one is None:
            one = grown[name] = _Growth(first_at=turn[0])
        one.take(tuple(turn), told)
        one.note_account(account)
    if grown:
        # Sorted, so that two writers lock rows in one order.
        written = [one.row(name) for name, one in sorted(grown.items())]
        execute_many(database, _GROW, written)


def _known(database: pw.Database, names: list[str]) -> dict[str, _Growth]:
    if not names:
        return {}
    # Another process's batch may change what this one goes on from.
    lock = "" if isinstance(database, pw.SqliteDatabase) else "FOR UPDATE"
    found = select(
        database,
        "SELECT name, first_at, last_at, accounts, last_input FROM conversation "
        f"WHERE name IN ({', '.join('?' * len(names))}) ORDER BY name {lock}",
        names,
    )
    return {
        name: _Growth(first, last, json.loads(accounts), asked)
        for name, first, last, accounts, asked in found
    }


def conversation_page(
    *,
    api_key_id: int | None = None,
    has_moved: bool = False,
    before: tuple[int, int] | None = None,
    limit: int = 50,
) -> list[Record]:
    """The latest first; `before`: `last_at` and `id` of the last of the page before."""
    conditions, values = equal_to(api_key_id=api_key_id)
    if has_moved:
        conditions.append("switches > 0")
    if before is not None:
        conditions.append("(last_at, id) < (?, ?)")
        values += before
    rest = f"{where(conditions)} ORDER BY last_at DESC, id DESC LIMIT ?"
    return _fetch(rest, (*values, limit))


def find_conversation(name: str) -> Record | None:
    """One, by the name it has in the request log."""
    found = [] if "\0" in name else _fetch("WHERE name = ?", (name,))
    return found[0] if found else None


def _fetch(rest: str, values: Iterable[Any]) -> list[Record]:
    names = ("id", *_FIELDS)
    query = f"SELECT {', '.join(names)} FROM conversation {rest}"
    rows = select_rows(query, tuple(values))
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [row | {"accounts": json.loads(row["accounts"])} for row in found]
