"""API keys and their limits: database rows as the objects that requests read."""

import json
from typing import Any

from gateway.keys.key import Key, Limit, Measure
from gateway.keys.request_rules import parse_rules
from gateway.repository import options
from gateway.store import models
from gateway.store.database import select

KEYS_EVER_MADE = "keys_ever_made"


def _place(model: type[models.BaseModel], column: str) -> int:
    names = [field.column_name for field in model._meta.sorted_fields]
    return names.index(column)


_KEYS_ID = _place(models.ApiKeyRow, "id")
_LIMITS_KEY = _place(models.ApiKeyLimitRow, "api_key_id")


class StoredKeys:
    """The keys of the database, each made anew only where its rows have changed.

    Each change of anything has all of them read: to make 10,000 takes a second, to
    see that they are the same 40 ms.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[int, Key]] = {}  # and the hash of its rows

    def load(self) -> list[Key]:
        limits: dict[int, list[tuple[Any, ...]]] = {}
        for row in _rows(models.ApiKeyLimitRow):
            limits.setdefault(row[_LIMITS_KEY], []).append(row)
        made = {}
        for row in _rows(models.ApiKeyRow):
            id, its_limits = row[_KEYS_ID], limits.get(row[_KEYS_ID], [])
            mark = hash((row, *its_limits))
            known = self._made.get(id)
            if known is None or known[0] != mark:
                objects = [_object(models.ApiKeyLimitRow, one) for one in its_limits]
                key = key_of(
                    _object(models.ApiKeyRow, row), list(map(limit_of, objects))
                )
                known = mark, key
            made[id] = known
        self._made = made
        return [key for _, key in made.values()]


def load_keys() -> list[Key]:
    return StoredKeys().load()


def keys_ever_made() -> bool:
    """Once a key was made, keys are needed everywhere, also without any left."""
    return options.read(KEYS_EVER_MADE) is not None


def key_of(row: models.ApiKeyRow, limits: list[Limit]) -> Key:
    accounts = _list(row.accounts)
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        digest=row.digest,
        created_at=row.created_at // 1000,
        old_prefix=row.old_prefix,
        old_digest=row.old_digest,
        old_expires_at=(row.old_expires_at or 0) / 1000,
        expires_at=None if row.expires_at is None else row.expires_at / 1000,
        disabled=row.is_disabled,
        models=tuple(_list(row.models) or ()),
        enforced_model=row.enforced_model,
        enforced_effort=row.enforced_effort,
        enforced_tier=row.enforced_tier,
        accounts=None if accounts is None else frozenset(accounts),
        limits=tuple(limits),
        rpm=row.rpm,
        concurrency=row.concurrency,
        unpriced=row.unpriced,
        rules=parse_rules(_list(row.tools) or (), _list(row.aliases) or ()),
        user_id=row.user_id,
    )


def limits_of(row: models.ApiKeyRow) -> list[Limit]:
    """The limits of one key."""
    table = models.ApiKeyLimitRow
    held = table.select().where(table.api_key == row.id).order_by(table.id)
    return list(map(limit_of, held))


def limit_of(row: models.ApiKeyLimitRow) -> Limit:
    measure = Measure(row.measure)
    return Limit(row.id, measure, row.maximum, row.window, row.model, row.is_open)


def _list(text: str | None) -> list[Any] | None:
    value = json.loads(text) if text else None
    return value if isinstance(value, list) else None


def _rows(model: type[models.BaseModel]) -> list[tuple[Any, ...]]:
    """All of a table as the driver gives them, in the order of their ids."""
    names = ", ".join(f'"{one.column_name}"' for one in model._meta.sorted_fields)
    query = f"SELECT {names} FROM {model._meta.table_name} ORDER BY id"
    return select(models.database.obj, query)


def _object(model: type[models.BaseModel], row: tuple[Any, ...]) -> Any:
    fields = model._meta.sorted_fields
    told = {
        field.name: field.python_value(value)
        for field, value in zip(fields, row, strict=True)
    }
    return model(**told)
