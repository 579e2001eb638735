"""Log rows as the database takes them, and the sums that go with them."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import peewee as pw

from gateway.store.database import execute_many
from gateway.store.models import RequestLog, UsageBase, UsageDay, UsageHour

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Row = Mapping[str, Any]
Key = tuple[int, int, int, str]  # start of the period, key, account, model

# What a roll-up sums, in the order of `_sums`.
MEASURES = (
    "requests",
    "errors",
    "interrupted",
    "unpriced",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_microdollars",
    "duration_ms",
    "first_output_ms",
    "first_outputs",
)


def insert(table: str, columns: Collection[str]) -> str:
    """The statement that inserts one row; hand it to `executemany`."""
    marks = ", ".join(["?"] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def clean(row: Row) -> dict[str, Any]:
    """A row that fits its columns: cut, bounded, without what databases refuse.

    A log row never fails for its content: a client chooses some of its text.
    Unknown names are left out, missing ones get their default.
    """
    return {name: convert(row.get(name)) for name, convert in _COLUMNS}


def _column(field: pw.Field) -> Callable[[Any], Any]:
    default = None if field.null else field.default
    if isinstance(field, pw.BooleanField):
        return bool
    if isinstance(field, pw.IntegerField):  # BigIntegerField is one too
        # Sums of many such numbers still fit 64 bits.
        largest = 2**48 if isinstance(field, pw.BigIntegerField) else 2**31 - 1
        number = None if field.null else default or 0
        return lambda value: _integer(value, number, largest)
    length = field.max_length if isinstance(field, pw.CharField) else None
    text = None if field.null else default or ""
    return lambda value: _text(value, text, length)


def _integer(value: Any, default: int | None, largest: int) -> int | None:
    try:
        return max(0, min(int(value), largest))
    except (TypeError, ValueError, OverflowError):  # None, text, NaN, infinity
        return default


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


class Sums:
    """Roll-ups of some rows, by hour, that are yet to be added to the tables."""

    def __init__(self) -> None:
        self._by_key: dict[Key, list[int]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, row: Row) -> None:
        """Take in a cleaned row."""
        start = row["created_at"] // HOUR_MS * HOUR_MS
        key = (start, row["api_key_id"] or 0, row["account_id"] or 0, _model(row))
        self._add(key, _sums(row))

    def merge(self, other: "Sums") -> None:
        for key, sums in other.groups():
            self._add(key, sums)

    def _add(self, key: Key, sums: Iterable[int]) -> None:
        known = self._by_key.get(key)
        self._by_key[key] = (
            list(sums)
            if known is None
            else [a + b for a, b in zip(known, sums, strict=True)]
        )

    def groups(self) -> Iterable[tuple[Key, list[int]]]:
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


def _model(row: Row) -> str:
    """The model a row counts for.

    Roll-ups are kept for ever, and a client may ask for any name: one that no
    account ever served does not get rows of its own.
    """
    if row["account_id"] is None and row["status"] != "success":
        return ""
    return row["model"] or ""


def _sums(row: Row) -> tuple[int, ...]:
    cost, first_output = row["cost_microdollars"], row["first_output_ms"]
    return (
        1,
        int(row["status"] == "error"),
        int(row["status"] == "interrupted"),
        int(cost is None),
        row["input_tokens"],
        row["cached_tokens"],
        row["cache_write_tokens"],
        row["output_tokens"],
        row["reasoning_tokens"],
        cost or 0,
        row["duration_ms"] or 0,
        first_output or 0,
        int(first_output is not None),
    )


def _upsert(table: type[UsageBase]) -> str:
    name = table._meta.table_name
    key = ("start", "api_key_id", "account_id", "model")
    sums = ", ".join(f"{sum} = {name}.{sum} + EXCLUDED.{sum}" for sum in MEASURES)
    return insert(name, (*key, *MEASURES)) + (
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"
    )


_UPSERT_HOUR = _upsert(UsageHour)
_UPSERT_DAY = _upsert(UsageDay)
