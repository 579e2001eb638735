"""Log rows as the database takes them, and the sums that go with them."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import peewee as pw
from peewee import (  # type: ignore[attr-defined]
    __exception_wrapper__ as driver_errors,
)

from gateway.store.database import execute_many
from gateway.store.models import RequestLog, UsageBase, UsageDay, UsageHour

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

LogRow = Mapping[str, Any]
Cleaned = tuple[Any, ...]  # in the order of COLUMNS
RollupKey = tuple[int, int, int, str]  # start of the period, key, account, model

# The name in the sums of models that upstream does not know.
OTHER_MODELS = "other"
_KEY_FIELDS = ("start", "api_key_id", "account_id", "model")
# What a roll-up sums, in the order of `_sums`.
MEASURES = tuple(
    field.name
    for field in UsageHour._meta.sorted_fields
    if field.name not in _KEY_FIELDS
)


def insert(table: str, columns: Collection[str], rows: int = 1) -> str:
    """The statement that inserts so many rows; hand it to `executemany`."""
    marks = f"({', '.join(['?'] * len(columns))})"
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * rows)}"
    )


def clean(rows: Sequence[LogRow]) -> list[Cleaned]:
    """Rows that fit their columns: cut, bounded, without what databases refuse.

    A log row never fails for its content: a client chooses some of its text.
    Unknown names are left out, missing ones get their default. Values nearly always
    fit as they are: a column's are looked at all at once, and only changed singly.
    """
    fitted = [fit([row.get(name) for row in rows]) for name, fit in _COLUMNS]
    return list(zip(*fitted, strict=True))


def _column(field: pw.Field) -> Callable[[list[Any]], list[Any]]:
    default = None if field.null else field.default
    if isinstance(field, pw.BooleanField):
        return lambda values: list(map(bool, values))
    if isinstance(field, pw.IntegerField):  # BigIntegerField is one too
        # Sums of many such numbers still fit 64 bits.
        largest = 2**48 if isinstance(field, pw.BigIntegerField) else 2**31 - 1
        number = None if field.null else default or 0
        return lambda values: _integers(values, number, largest)
    length = field.max_length if isinstance(field, pw.CharField) else None
    text = None if field.null else default or ""
    return lambda values: _texts(values, text, length)


def _integers(values: list[Any], default: int | None, largest: int) -> list[Any]:
    known = [value for value in values if value is not None]
    if (
        (default is None or len(known) == len(values))
        and set(map(type, known)) <= {int}
        and min(known, default=0) >= 0
        and max(known, default=0) <= largest
    ):
        return values
    return [_integer(value, default, largest) for value in values]


def _integer(value: Any, default: int | None, largest: int) -> int | None:
    try:
        return max(0, min(int(value), largest))
    except (TypeError, ValueError, OverflowError):  # None, text, NaN, infinity
        return default


def _texts(values: list[Any], default: str | None, length: int | None) -> list[Any]:
    known = [value for value in values if value is not None]
    if (
        (default is None or len(known) == len(values))
        and set(map(type, known)) <= {str}
        and (length is None or max(map(len, known), default=0) <= length)
        and (joined := "".join(known)).isascii()
        and "\0" not in joined
    ):
        return values
    return [_text(value, default, length) for value in values]


def _text(value: Any, default: str | None, length: int | None) -> str | None:
    if value is None:
        return default
    text = (
        json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
    )
    if "\0" in text:
        text = text.replace("\0", "")  # PostgreSQL refuses it
    # A lone surrogate has no UTF-8.
    return text[:length].encode("utf-8", "replace").decode()


_COLUMNS = tuple(
    (field.name, _column(field))
    for field in RequestLog._meta.sorted_fields
    if field.name != "id"
)
COLUMNS = tuple(name for name, _ in _COLUMNS)
INSERT_LOG = insert(RequestLog._meta.table_name, COLUMNS)
# Each statement gives the interpreter's lock away and has to wait for it again, as
# has the event loop. More than 999 values older SQLites do not take at once.
ROWS_AT_ONCE = 999 // len(COLUMNS)
INSERT_LOGS = insert(RequestLog._meta.table_name, COLUMNS, ROWS_AT_ONCE)
COPY_LOG = f"COPY {RequestLog._meta.table_name} ({', '.join(COLUMNS)}) FROM STDIN"


def write_log(database: pw.Database, rows: Sequence[Cleaned]) -> None:
    """Insert cleaned rows into `request_log`."""
    if not isinstance(database, pw.SqliteDatabase):
        with driver_errors, database.cursor().copy(COPY_LOG) as copy:  # type: ignore[no-untyped-call]
            for row in rows:
                copy.write_row(row)
        return
    singly = len(rows) % ROWS_AT_ONCE
    together = rows[singly:]
    execute_many(database, INSERT_LOG, rows[:singly])
    execute_many(
        database,
        INSERT_LOGS,
        [
            tuple(chain.from_iterable(together[at : at + ROWS_AT_ONCE]))
            for at in range(0, len(together), ROWS_AT_ONCE)
        ],
    )


class Sums:
    """Roll-ups of some rows, by hour, that are yet to be added to the tables."""

    def __init__(self) -> None:
        self._by_key: dict[RollupKey, list[int]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, rows: Iterable[Cleaned], known: Iterable[bool]) -> None:
        """Take in log rows, and of each whether its model has a name of its own."""
        by_key: dict[RollupKey, list[tuple[int, ...]]] = {}
        for row, is_known in zip(rows, known, strict=True):
            by_key.setdefault(_key(row, is_known), []).append(_sums(row))
        for key, sums in by_key.items():
            self._add(key, map(sum, zip(*sums, strict=True)))

    def adjust(self, key: RollupKey, **changes: int) -> None:
        """Add to some measures of a group alone."""
        self._add(key, [changes.get(name, 0) for name in MEASURES])

    def merge(self, other: "Sums") -> None:
        for key, sums in other.groups():
            self._add(key, sums)

    def _add(self, key: RollupKey, sums: Iterable[int]) -> None:
        known = self._by_key.get(key)
        self._by_key[key] = (
            list(sums)
            if known is None
            else [a + b for a, b in zip(known, sums, strict=True)]
        )

    def groups(self) -> Iterable[tuple[RollupKey, list[int]]]:
        """Each hour, key, account and model with its sums, in the order of MEASURES."""
        return self._by_key.items()

    def write(self, database: pw.Database) -> None:
        """Add all to `usage_hour` and `usage_day`, inside the caller's transaction."""
        days = Sums()
        for (hour, *rest), sums in self._by_key.items():
            days._add((hour // DAY_MS * DAY_MS, *rest), sums)  # type: ignore[arg-type]
        execute_many(database, _UPSERT_HOUR, self._rows())
        execute_many(database, _UPSERT_DAY, days._rows())

    def _rows(self) -> list[tuple[Any, ...]]:
        # Sorted, so that two writers lock rows in one order.
        return [(*key, *sums) for key, sums in sorted(self._by_key.items())]


def _columns(*names: str) -> Callable[[Cleaned], tuple[Any, ...]]:
    return itemgetter(*map(COLUMNS.index, names))


_key_columns = _columns("created_at", "api_key_id", "account_id", "model")
_summed_columns = _columns("status", "first_output_ms", *MEASURES[4:11])


def has_known_model(row: LogRow) -> bool:
    """Whether upstream has the model: it completed the turn, or a catalogue lists it.

    Sums are kept for ever, and a client may ask for any name: all others are one.
    """
    return row.get("status") == "success" or bool(row.get("is_known_model"))


def unpriced_model(row: LogRow) -> str | None:
    """The model of an answer, or of a refusal, for want of a price; None for others.

    OTHER_MODELS for one that upstream does not know.
    """
    is_unpriced = row["cost_microdollars"] is None
    has_used = row["input_tokens"] > 0 or row["output_tokens"] > 0
    if not (is_unpriced and has_used) and row["error_code"] != "model_not_priced":
        return None
    return row["model"] if has_known_model(row) else OTHER_MODELS


def _key(row: Cleaned, is_known: bool) -> RollupKey:
    """What a row counts for."""
    created_at, key, account, model = _key_columns(row)
    if model and not is_known:
        model = OTHER_MODELS
    return created_at // HOUR_MS * HOUR_MS, key or 0, account or 0, model or ""


def _sums(row: Cleaned) -> tuple[int, ...]:
    status, first_output, *tokens, cost, duration = _summed_columns(row)
    asked, _, _, answered, _ = tokens
    is_unpriced = cost is None and asked + answered > 0
    return (
        1,
        int(status == "error"),
        int(status == "interrupted"),
        int(is_unpriced),
        *tokens,
        cost or 0,
        duration or 0,
        first_output or 0,
        int(first_output is not None),
    )


def _upsert(table: type[UsageBase]) -> str:
    name = table._meta.table_name
    sums = ", ".join(f"{sum} = {name}.{sum} + EXCLUDED.{sum}" for sum in MEASURES)
    return insert(name, (*_KEY_FIELDS, *MEASURES)) + (
        f" ON CONFLICT ({', '.join(_KEY_FIELDS)}) DO UPDATE SET {sums}"
    )


_UPSERT_HOUR = _upsert(UsageHour)
_UPSERT_DAY = _upsert(UsageDay)
