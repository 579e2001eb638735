"""A long request log with its sums, made by the database itself, and what is read.

A few keys and models have most of the traffic, one in twenty turns fails, hashes are
in no order; the same number of rows is always the same log.
"""

import json

import peewee as pw

from gateway.store.database import select
from gateway.store.log.log_rows import COLUMNS, DAY_MS, HOUR_MS, MEASURES
from gateway.store.log.minutes import MINUTE_MS, MINUTES_KEPT
from gateway.store.log.queries import LogFilter
from gateway.store.models import database, now_ms
from gateway.store.pages.timed_database import TimedPostgresql, TimedSqlite
from gateway.store.tables import TABLES

DAYS = 30
RECEIPT = json.dumps({"reason": "session", "passed_over": [["one", "limited"]] * 4})
_NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
    "WHERE i < {rows}) SELECT i FROM c)",
    "postgresql": "(SELECT CAST(i AS BIGINT) AS i "
    "FROM generate_series(1, {rows}) AS i)",
}
_HEX = {
    "sqlite": "printf('%08x%024x', {0}, {1})",
    "postgresql": "lpad(to_hex({0}), 8, '0') || lpad(to_hex({1}), 24, '0')",
}
# Numbers that look as if by chance, of 10,007.
_KEY = (
    "CASE WHEN h < 2500 THEN 1 WHEN h < 4000 THEN 2 WHEN h < 9980 THEN 3 + h % 36 "
    "ELSE 40 END"
)
_COLUMNS = {
    "created_at": "{start} + i * {step}",
    "api_key_id": "key",
    "account_id": "CASE WHEN h % 999 = 0 THEN NULL ELSE 1 + (key + i % 2) % 8 END",
    "surface": "'codex'",
    "transport": "'websocket'",
    "route": "'responses'",
    "model": "CASE WHEN g < 6000 THEN 'gpt-5.5' WHEN g < 9990 THEN "
    "'gpt-5.' || CAST(g % 8 AS CHAR(1)) ELSE 'gpt-rare' END",
    "status": "CASE WHEN g % 200 < 190 THEN 'success' "
    "WHEN g % 200 < 198 THEN 'error' ELSE 'interrupted' END",
    "http_status": "CASE WHEN g % 200 < 190 THEN 200 ELSE 502 END",
    "error_origin": "CASE WHEN g % 200 < 190 OR g % 200 >= 198 THEN NULL "
    "WHEN h % 3 = 0 THEN 'client' WHEN h % 999 = 1 THEN 'gateway' ELSE 'upstream' END",
    "input_tokens": "h * 9",
    "cached_tokens": "h * 7",
    "output_tokens": "g / 4",
    "cost_microdollars": "h * 3",
    "duration_ms": "g",
    "first_output_ms": "g / 2",
    "client_address": "'127.0.0.1'",
    "user_agent": "'codex_exec/0.171.0 (Debian 12; x86_64) xterm-256color'",
    "attempts": "1",
    "changes": "'[]'",
    "receipt": "'{receipt}'",
}
_ZERO = {"cache_write_tokens", "reasoning_tokens", "request_bytes", "response_bytes"}


def kind_of(opened):
    return "sqlite" if isinstance(opened, pw.SqliteDatabase) else "postgresql"


def empty(opened):
    """Remove what other tests left in a migrated database."""
    if kind_of(opened) == "sqlite":
        return  # it is a test's own
    names = ", ".join(f'"{table._meta.table_name}"' for table in TABLES)
    opened.cursor().execute(f"TRUNCATE {names}")


def fill(opened, rows):
    """Make the log and all its sums in a connected, migrated, empty database."""
    kind, now = kind_of(opened), now_ms()
    start = now - DAYS * DAY_MS
    numbers, hexed = _NUMBERS[kind].format(rows=rows), _HEX[kind].format
    made = {name: "NULL" for name in COLUMNS} | {name: "0" for name in _ZERO}
    made |= _COLUMNS | {
        "request_id": hexed("(i * 2654435761) % 4294967296", "i"),
        "response_id": "'resp_' || " + hexed("(i * 40503) % 1000003", "i"),
        "conversation": "key || ':session:' || " + hexed("i / 800", "key"),
        "is_prewarm": "0" if kind == "sqlite" else "false",
    }
    step = DAYS * DAY_MS // rows
    told = ", ".join(made.values())
    for name, value in (("start", start), ("step", step), ("receipt", RECEIPT)):
        told = told.replace("{" + name + "}", str(value))
    if kind == "sqlite":
        opened.pragma("cache_size", -1_000_000)
        opened.pragma("synchronous", "off")
    with opened.atomic():
        opened.cursor().execute(
            f"INSERT INTO request_log ({', '.join(made)}) SELECT {told} FROM "
            f"(SELECT i, h, g, {_KEY} AS key FROM (SELECT i, (i * 7919) % 10007 AS h, "
            f"(i * 104729) % 10007 AS g FROM {numbers} AS n) AS m) AS k"
        )
        _sum_up(opened, now)
    opened.cursor().execute("ANALYZE")


def _sum_up(opened, now):
    sums = {
        "requests": "COUNT(*)",
        "errors": "SUM(CASE WHEN status = 'error' THEN 1 ELSE 0 END)",
        "interrupted": "SUM(CASE WHEN status = 'interrupted' THEN 1 ELSE 0 END)",
        "unpriced": "0",
        "first_outputs": "COUNT(first_output_ms)",
        "switches": "0",
    }

    def summed(names):
        return ", ".join(sums.get(name, f"SUM({name})") for name in names)

    for table, size in (("usage_hour", HOUR_MS), ("usage_day", DAY_MS)):
        opened.cursor().execute(
            f"INSERT INTO {table} (start, api_key_id, account_id, model, "
            f"{', '.join(MEASURES)}) SELECT created_at / {size} * {size}, api_key_id, "
            f"COALESCE(account_id, 0), model, {summed(MEASURES)} FROM request_log "
            "GROUP BY 1, 2, 3, 4"
        )
    minute = (
        *("requests", "switches", "unpriced", "input_tokens", "cached_tokens"),
        *("cache_write_tokens", "output_tokens", "reasoning_tokens"),
        "cost_microdollars",
    )
    opened.cursor().execute(
        f"INSERT INTO usage_minute (start, origin, {', '.join(minute)}) SELECT "
        f"created_at / {MINUTE_MS} * {MINUTE_MS}, CASE WHEN status = 'error' THEN "
        f"COALESCE(error_origin, 'unknown') ELSE '' END, {summed(minute)} "
        f"FROM request_log WHERE created_at >= {now - MINUTES_KEPT} GROUP BY 1, 2"
    )
    opened.cursor().execute(
        "INSERT INTO conversation (name, api_key_id, first_at, last_at, accounts, "
        "account_id, model, last_input, turns, errors, switches, input_tokens, "
        "cached_tokens, output_tokens, cost_microdollars, unpriced, repaid_tokens, "
        "repaid_microdollars) SELECT conversation, MAX(api_key_id), MIN(created_at), "
        "MAX(created_at), '[1, 2]', MAX(account_id), MAX(model), MAX(input_tokens), "
        "COUNT(*), 0, CASE WHEN COUNT(*) % 10 = 0 THEN 1 ELSE 0 END, "
        "SUM(input_tokens), SUM(cached_tokens), SUM(output_tokens), "
        "SUM(cost_microdollars), 0, 0, 0 FROM request_log "
        "WHERE account_id IS NOT NULL GROUP BY conversation"
    )


def filters():
    """Every filter that is offered, alone and with each other, common, rare, absent."""
    day = now_ms() - DAY_MS
    values = {
        "api_key_id": (1, 40, 999),
        "account_id": (2, 99),
        "model": ("gpt-5.5", "gpt-rare", "none"),
        "status": ("success", "error", "interrupted"),
        "origin": ("upstream", "gateway", "nobody"),
        "since": (day,),
        "until": (day,),
    }
    yield "none", LogFilter()
    names = list(values)
    for at, name in enumerate(names):
        for value in values[name]:
            yield name, LogFilter(**{name: value})
            for other in names[at + 1 :]:
                for more in values[other]:
                    yield f"{name}, {other}", LogFilter(**{name: value, other: more})


def named_filters():
    """Those that few rows pass; the values are of rows that are there, and of none."""
    [(request, response, conversation)] = select(
        database.obj,
        "SELECT request_id, response_id, conversation FROM request_log "
        "WHERE account_id = 3 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET 500",
    )
    for name in (request, request[:8], request[:4], "ffffffff"):
        yield "request id", LogFilter(request_id=name)
    for name in (response, "resp_none"):
        yield "response id", LogFilter(response_id=name)
    for name in (conversation, "1:session:none"):
        yield "conversation", LogFilter(conversation=name)
        yield "conversation, status", LogFilter(conversation=name, status="error")


class _Noted:
    """A cursor that notes its statements."""

    def __init__(self, cursor, statements):
        self._cursor, self._statements = cursor, statements

    def execute(self, sql, values=()):
        if sql.startswith("SELECT"):
            self._statements.append((sql, values))
        return self._cursor.execute(sql, values)

    def __getattr__(self, name):
        return getattr(self._cursor, name)


class NotedSqlite(TimedSqlite):
    statements = ()

    def cursor(self, named_cursor=None):
        return _Noted(super().cursor(named_cursor), self.statements)


class NotedPostgresql(TimedPostgresql):
    statements = ()

    def cursor(self, named_cursor=None):
        return _Noted(super().cursor(named_cursor), self.statements)


def noted(shared):
    """A way into the same database that notes the statements in `statements`."""
    if isinstance(shared, pw.SqliteDatabase):
        opened = NotedSqlite(shared.database)
    else:
        opened = NotedPostgresql(
            shared.database, prefer_psycopg3=True, **shared.connect_params
        )
    opened.statements = []
    return opened
