"""PostgreSQL's request log by UTC day; the table there is becomes the first part."""

import time

import peewee as pw

DAY_MS = 86_400_000
# The release before makes none: it can be gone back to for so long.
DAYS_AHEAD = 7
# Room beside the rows that batches update again and again.
FILLFACTORS = {
    **dict.fromkeys(("usage_hour", "usage_day", "usage_minute", "rule_day"), 70),
    **dict.fromkeys(("conversation", "binding"), 80),
}


def up(migrator, db):
    if isinstance(db, pw.SqliteDatabase):
        return
    for table, percent in FILLFACTORS.items():
        db.execute_sql(f"ALTER TABLE {table} SET (fillfactor = {percent})")
    _rename(db)
    _change_keys(db)
    db.execute_sql(
        "CREATE TABLE request_log (LIKE request_log_first INCLUDING ALL) "
        "PARTITION BY RANGE (created_at)"
    )
    db.execute_sql("ALTER SEQUENCE request_log_id_seq OWNED BY request_log.id")
    [(latest,)] = db.execute_sql("SELECT MAX(created_at) FROM request_log_first")
    end = (max(latest or 0, time.time_ns() // 1_000_000) // DAY_MS + 1) * DAY_MS
    db.execute_sql(
        "ALTER TABLE request_log ATTACH PARTITION request_log_first "
        f"FOR VALUES FROM (MINVALUE) TO ({end})"
    )
    for start in range(end, end + DAYS_AHEAD * DAY_MS, DAY_MS):
        name = time.strftime("request_log_%Y%m%d", time.gmtime(start / 1000))
        db.execute_sql(f"CREATE TABLE {name} (LIKE request_log INCLUDING ALL)")
        db.execute_sql(
            f"ALTER TABLE request_log ATTACH PARTITION {name} "
            f"FOR VALUES FROM ({start}) TO ({start + DAY_MS})"
        )


def _rename(db):
    found = db.execute_sql(
        "SELECT indexrelid::regclass::text FROM pg_index "
        "WHERE indrelid = 'request_log'::regclass"
    )
    for (name,) in found.fetchall():
        first = name.replace("request_log", "request_log_first", 1)
        db.execute_sql(f"ALTER INDEX {name} RENAME TO {first}")
    db.execute_sql("ALTER TABLE request_log RENAME TO request_log_first")


def _change_keys(db):
    """A unique key of a partitioned table has the column that it is divided by.

    No constraint, but an index: `pg_restore --clean` cannot drop an inherited one.
    """
    for statement in (
        "CREATE UNIQUE INDEX request_log_first_key ON request_log_first "
        "(id, created_at)",
        "CREATE UNIQUE INDEX request_log_first_request ON request_log_first "
        "(request_id, created_at)",
        "ALTER TABLE request_log_first DROP CONSTRAINT request_log_first_pkey",
        "DROP INDEX request_log_first_request_id",
    ):
        db.execute_sql(statement)
