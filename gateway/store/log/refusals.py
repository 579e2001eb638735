"""Refusals: what is written of requests that were turned away, and never too much.

A light row each, apart from the request log and its sums: so many a minute of a key or
a client's network, and of all; beyond that their number. Nothing in them is a client's
word: codes, reasons and the names of doors are the gateway's own.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import peewee as pw

from gateway.store import models
from gateway.store.database import execute_many, select
from gateway.store.log.log_rows import LogRow, insert
from gateway.store.models import BaseModel

SENDER_ROWS = 60  # a minute
ALL_ROWS = 600
# Of whom no account can serve at present: their receipts tell an owner why.
TIMES_FOR_OTHERS = 10
REFUSALS_KEPT = 24 * 3_600_000  # ms
_MINUTE = 60_000


class RefusedRequest(BaseModel):
    """One refused request; without an id, `requests` more of that minute."""

    id = pw.AutoField()
    request_id = pw.CharField(max_length=32, null=True, index=True)
    created_at = pw.BigIntegerField(index=True)  # the page, and what is too old
    api_key_id = pw.IntegerField(null=True)
    client_address = pw.CharField(max_length=64)
    surface = pw.CharField(max_length=16)
    door = pw.CharField(max_length=40)
    http_status = pw.IntegerField()
    error_code = pw.CharField(max_length=80)
    reason = pw.CharField(max_length=200)
    requests = pw.IntegerField(default=1)


REFUSAL_COLUMNS = tuple(
    field.name for field in RefusedRequest._meta.sorted_fields if field.name != "id"
)
_WORDS = {
    field.name: field.max_length
    for field in RefusedRequest._meta.sorted_fields
    if isinstance(field, pw.CharField)
}
_GROUP = REFUSAL_COLUMNS[2:-1]  # what counted requests have in common
_INSERT = insert("refused_request", REFUSAL_COLUMNS)
LightRow = Mapping[str, Any]


class Refusals:
    """Hands rows of refused requests on, as many as a minute has room for."""

    def __init__(
        self,
        log: Callable[[LogRow], None],
        put: Callable[[LightRow], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`log` takes rows of the request log, `put` light ones."""
        self._log = log
        self._put = put
        self._clock = clock
        self._minute = 0
        self._rows: Counter[object] = Counter()  # of this minute, by sender
        self._beyond: Counter[tuple[Any, ...]] = Counter()

    def log(self, row: LogRow) -> None:
        """A turn's row. A key's limit leaves a light one, as do too many refusals."""
        is_clients = row["error_origin"] == "client"
        if not row["is_refusal"]:
            self._log(row)
        elif row["http_status"] == 429 and is_clients:
            self.note({**row, "door": row["route"], "reason": row["error_message"]})
        elif self._has_room(_sender(row), 1 if is_clients else TIMES_FOR_OTHERS):
            self._log(row)
        else:
            self._count({**row, "door": row["route"], "reason": _MORE})

    def note(self, row: LightRow) -> None:
        """A request that no turn has left a row of; `network` is the client's."""
        if self._has_room(_sender(row)):
            self._put({**row, "requests": 1})
        else:
            self._count(row)

    def hand_over(self, *, at_end: bool = False) -> None:
        """Write what was counted in a minute that is over."""
        minute = int(self._clock() * 1000) // _MINUTE
        if minute == self._minute and not at_end:
            return
        for group, requests in self._beyond.items():
            counted = dict(zip(_GROUP, group, strict=True))
            counted |= {"created_at": self._minute * _MINUTE, "requests": requests}
            self._put(counted)
        self._beyond.clear()
        self._rows.clear()
        self._minute = minute

    def _has_room(self, sender: object, times: int = 1) -> bool:
        self.hand_over()
        is_full = self._rows.total() >= times * ALL_ROWS
        if is_full or self._rows[sender] >= times * SENDER_ROWS:
            return False
        self._rows[sender] += 1
        return True

    def _count(self, row: LightRow) -> None:
        # Only those who filled their own share have a number of their own, and it is
        # one: a key may come from any address, a network has 2**64 of them.
        sender = _sender(row)
        is_known = self._rows[sender] >= SENDER_ROWS
        key = row["api_key_id"] if is_known else None
        network = row["network"] if is_known and key is None else ""
        told = {**row, "api_key_id": key, "client_address": network}
        self._beyond[tuple(told.get(name) for name in _GROUP)] += 1


_MORE = "see the rows of the request log before"


def _sender(row: LightRow) -> object:
    return row["api_key_id"] or row["network"]


def write_refusals(database: pw.Database, rows: Sequence[LightRow]) -> None:
    """In the caller's transaction; texts are cut to their columns' lengths."""
    columns = [[_fitted(row, name) for name in REFUSAL_COLUMNS] for row in rows]
    execute_many(database, _INSERT, list(map(tuple, columns)))


def _fitted(row: LightRow, name: str) -> Any:
    value, longest = row.get(name), _WORDS.get(name)
    if longest is None or (value is None and name == "request_id"):
        return value
    return "".join(c for c in str(value or "") if c.isprintable())[:longest]


def refusal_page(
    *,
    since: int | None = None,
    api_key_id: int | None = None,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Light rows, the last written first; `before` is the `id` of a page's last,
    `after` that of its first, for the page that led there."""
    told = {
        "created_at >= ?": since,
        "api_key_id = ?": api_key_id,
        "id < ?": before,
        "id > ?": after,
    }
    terms = {term: value for term, value in told.items() if value is not None}
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    order = "DESC" if after is None else "ASC"
    found = _fetch(f"{where} ORDER BY id {order} LIMIT ?", (*terms.values(), limit))
    return found if after is None else found[::-1]


def find_refusal(prefix: str) -> list[dict[str, Any]]:
    """The light rows whose request ids begin so."""
    rest = "WHERE request_id >= ? AND request_id < ? ORDER BY id LIMIT 10"
    return _fetch(rest, (prefix.lower(), prefix.lower() + "z"))


def _fetch(rest: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    names = ("id", *REFUSAL_COLUMNS)
    query = f"SELECT {', '.join(names)} FROM refused_request {rest}"
    found = select(models.database.obj, query, values)
    return [dict(zip(names, row, strict=True)) for row in found]
