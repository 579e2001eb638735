"""API keys and their limits: database rows as the objects that requests read."""

import json
from typing import Any

from gateway.keys.key import Key, Limit, Measure
from gateway.keys.request_rules import parse_rules
from gateway.repository import options
from gateway.store import models

KEYS_EVER_MADE = "keys_ever_made"


def load_keys() -> list[Key]:
    limits: dict[int, list[Limit]] = {}
    for row in models.ApiKeyLimitRow.select().order_by(models.ApiKeyLimitRow.id):
        # The column's own value: `row.api_key` would be a query for each limit.
        limits.setdefault(row.__data__["api_key"], []).append(limit_of(row))
    rows = models.ApiKeyRow.select().order_by(models.ApiKeyRow.id)
    return [key_of(row, limits.get(row.id, [])) for row in rows]


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
