"""Costs in the log: what is used of which model, and rows that are counted again.

Run these through `Store.read` and `Store.write`; times are unix milliseconds.
"""

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import peewee as pw

from gateway.store import database, models
from gateway.store.log.log_rows import HOUR_MS, OTHER_MODELS, RollupKey, Sums
from gateway.store.log.minutes import minute_of
from gateway.store.log.queries import Record

USAGE_COLUMNS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
_COLUMNS = (
    *("id", "created_at", "api_key_id", "account_id", "model", "status"),
    *("error_origin", "conversation", "is_prewarm"),
    *("requested_tier", "service_tier", *USAGE_COLUMNS),
    *("cost_microdollars", "receipt"),
)
_HAS_USAGE = "input_tokens + output_tokens > 0"
_ADD = "SET unpriced = unpriced + ?, cost_microdollars = cost_microdollars + ?"
_SEEN = ("model", "tier", "account_id", "requests", "unpriced", "shortest", "longest")


def models_seen(since: int) -> list[Record]:
    """Models as served, by tier and account, with the shortest and longest input."""
    is_sqlite = isinstance(models.database.obj, pw.SqliteDatabase)
    served = "json_extract(receipt, '$.served')"
    if not is_sqlite:
        served = "receipt::json ->> 'served'"
    found = _select(
        "SELECT served, tier, account_id, COUNT(*), SUM(unpriced), MIN(input_tokens), "
        f"MAX(input_tokens) FROM (SELECT COALESCE({served}, model) AS served, "
        "COALESCE(service_tier, requested_tier) AS tier, account_id, input_tokens, "
        "CASE WHEN cost_microdollars IS NULL THEN 1 ELSE 0 END AS unpriced "
        f"FROM request_log WHERE created_at >= ? AND {_HAS_USAGE}) AS seen "
        "GROUP BY served, tier, account_id ORDER BY COUNT(*) DESC, served, tier",
        since,
    )
    return [dict(zip(_SEEN, map(_plain, row), strict=True)) for row in found]


def id_before(since: int) -> int:
    """The id that all rows since then come after."""
    [(first,)] = _select("SELECT MIN(id) FROM request_log WHERE created_at >= ?", since)
    return int(first or 1) - 1


def rows_to_count(since: int, after: int, limit: int) -> list[Record]:
    """Rows that used something, in the order of writing, for `change_costs`."""
    is_sqlite = isinstance(models.database.obj, pw.SqliteDatabase)
    lock = "" if is_sqlite else "FOR UPDATE"  # SQLite has one writer at a time
    found = _select(
        f"SELECT {', '.join(_COLUMNS)} FROM request_log "
        f"WHERE id > ? AND created_at >= ? AND {_HAS_USAGE} ORDER BY id LIMIT ? {lock}",
        *(after, since, limit),
    )
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in found]
    return [{**row, "receipt": _read(row["receipt"])} for row in rows]


def _read(receipt: str) -> dict[str, Any]:
    try:
        told = json.loads(receipt)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def change_costs(changed: Iterable[tuple[Record, int | None]]) -> None:
    """Give rows another cost, and the sums the difference; in one transaction."""
    sums, costs, minutes, conversations = Sums(), [], [], []
    for row, cost in changed:
        before, at = row["cost_microdollars"], row["created_at"]
        unpriced = (cost is None) - (before is None)
        added = (cost or 0) - (before or 0)
        sums.adjust(_rollup_key(row), unpriced=unpriced, cost_microdollars=added)
        costs.append((cost, row["id"]))
        minute = minute_of(at, row["status"], row["error_origin"])
        minutes.append((unpriced, added, *minute))
        if row["conversation"] and row["account_id"] and not row["is_prewarm"]:
            conversations.append((unpriced, added, row["conversation"], at))
    here, change = models.database.obj, database.execute_many
    change(here, "UPDATE request_log SET cost_microdollars = ? WHERE id = ?", costs)
    # One that began later, by its sums, has none of the turn.
    begun = f"UPDATE conversation {_ADD} WHERE name = ? AND first_at <= ?"
    change(here, begun, sorted(conversations, key=itemgetter(2)))
    sums.write(here)
    passed = f"UPDATE usage_minute {_ADD} WHERE start = ? AND origin = ?"
    change(here, passed, sorted(minutes, key=itemgetter(2, 3)))


def _rollup_key(row: Record) -> RollupKey:
    """The sums that have the row; those of models upstream does not know are one."""
    hour = row["created_at"] // HOUR_MS * HOUR_MS
    group = hour, row["api_key_id"] or 0, row["account_id"] or 0
    own, known = (*group, row["model"] or ""), row["receipt"].get("known_model")
    if row["status"] == "success" or not row["model"] or known:
        return own
    # Rows of earlier releases do not tell.
    return own if known is None and _has_sums(own) else (*group, OTHER_MODELS)


def _has_sums(key: RollupKey) -> bool:
    query = (
        "SELECT 1 FROM usage_hour WHERE start = ? AND api_key_id = ? "
        "AND account_id = ? AND model = ?"
    )
    return bool(_select(query, *key))


def _select(query: str, *values: Any) -> list[tuple[Any, ...]]:
    return database.select(models.database.obj, query, values)


def _plain(value: Any) -> Any:
    """PostgreSQL sums into a Decimal."""
    return value if value is None or isinstance(value, str) else int(value)
