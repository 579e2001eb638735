"""All rows of a database in another, empty one: SQLite and PostgreSQL, both ways."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import peewee as pw

from gateway.store.database import describe, execute_many, select, transaction
from gateway.store.identity import is_empty
from gateway.store.models import BaseModel, SettingRow
from gateway.store.shared.tables import ClaimRow, MemberRow
from gateway.store.tables import TABLES

COPIED_AT_ONCE = 2_000

# What a start writes, of the schema and of itself.
_OF_A_START: tuple[type[BaseModel], ...] = (SettingRow, MemberRow, ClaimRow)

Rows = Sequence[tuple[Any, ...]]


class CopyFailed(Exception):
    """Nothing was copied; the message says why."""


def copy_rows(
    source: pw.Database, target: pw.Database, progress: Callable[[int, int], None]
) -> dict[str, int]:
    """Copy all tables, all or nothing; both are connected and of this release.

    `progress` gets the rows done and in all. Gives the rows by table, counted on both
    sides. Raises CopyFailed.
    """
    if is_empty(source):
        raise CopyFailed("The database has neither accounts, nor keys, nor a log")
    counted = _count_tables(source)
    whole, done = sum(counted.values()), 0
    _check_empty(target)
    with transaction(target):
        for table in _OF_A_START:
            with table.bind_ctx(target):
                table.delete().execute()
        for table in TABLES:
            for rows in _slices(source, table):
                _insert(target, table, rows)
                done += len(rows)
                progress(done, whole)
        _set_sequences(target)
        for side, found in (("target", target), ("source", source)):
            if (now := _count_tables(found)) != counted:
                raise CopyFailed(f"The {side} has other rows now: {now} of {counted}")
    return counted


def _check_empty(target: pw.Database) -> None:
    """Where a gateway was started, some tables are not, whatever else there is."""
    found = _count_tables(target)
    kept = set(map(_name, _OF_A_START))
    full = {name: n for name, n in found.items() if n and name not in kept}
    if full:
        told = ", ".join(f"{number} {name}" for name, number in full.items())
        raise CopyFailed(f"The target is not empty: it has {told}")


def _slices(database: pw.Database, table: type[BaseModel]) -> Iterator[Rows]:
    """In the order of the primary key; few rows are in memory at a time."""
    columns = [field.column_name for field in table._meta.sorted_fields]
    keys = table._meta.get_primary_keys()  # type: ignore[no-untyped-call]
    key = [field.column_name for field in keys]
    places = [columns.index(name) for name in key]
    order = _quoted(key)
    query = (
        f'SELECT {_quoted(columns)} FROM "{_name(table)}" %s '
        f"ORDER BY {order} LIMIT {COPIED_AT_ONCE}"
    )
    after = f"WHERE ({order}) > ({', '.join('?' * len(key))})"
    rows: Rows = select(database, query % "")
    while rows:
        yield rows
        last = [rows[-1][place] for place in places]
        rows = select(database, query % after, last)


def _insert(database: pw.Database, table: type[BaseModel], rows: Rows) -> None:
    fields = table._meta.sorted_fields
    listed = _quoted(field.column_name for field in fields)
    marks = ", ".join("?" * len(fields))
    # SQLite has numbers for these.
    flags = [isinstance(field, pw.BooleanField) for field in fields]
    if any(flags):
        rows = [
            tuple(
                bool(value) if is_flag and value is not None else value
                for value, is_flag in zip(row, flags, strict=True)
            )
            for row in rows
        ]
    statement = f'INSERT INTO "{_name(table)}" ({listed}) VALUES ({marks})'
    try:
        execute_many(database, statement, rows)
    except pw.DatabaseError as error:
        raise CopyFailed(f"{_name(table)}: {describe(error)}") from error


def _set_sequences(database: pw.Database) -> None:
    """PostgreSQL counts rows' numbers apart from the rows."""
    if isinstance(database, pw.SqliteDatabase):
        return
    for table in TABLES:
        key = table._meta.primary_key
        if isinstance(key, pw.AutoField):
            name, column = _name(table), key.column_name
            select(
                database,
                f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), "
                f"COALESCE(MAX({column}), 1), MAX({column}) IS NOT NULL) FROM {name}",
            )


def _count_tables(database: pw.Database) -> dict[str, int]:
    names = map(_name, TABLES)
    return {
        name: int(select(database, f'SELECT COUNT(*) FROM "{name}"')[0][0])
        for name in names
    }


def _name(table: type[BaseModel]) -> str:
    return str(table._meta.table_name)


def _quoted(names: Iterable[str]) -> str:
    """Some are words of SQL."""
    return ", ".join(f'"{name}"' for name in names)
