"""How often each rule was met, by UTC day: changed, refused, and shapes seen anew."""

import re
from collections import Counter
from collections.abc import Iterable

import peewee as pw

from gateway.store.database import execute_many, select
from gateway.store.log.log_rows import DAY_MS, LogRow, insert
from gateway.store.models import RuleDay

# Names are made of what clients send: so much of one, and so many a day and kind.
LONGEST_RULE = 64
MOST_RULES = 100
OTHER_RULES = "other"

# Positions and numbers of items are no part of a rule, but for those in a name.
_POSITION = re.compile(r"(?<=\[)\d+(?=\])|^\d+ ")
_NOT_PLAIN = re.compile(r"[^ -~]")

_COLUMNS = ("start", "kind", "rule", "requests")
_UPSERT = insert("rule_day", _COLUMNS) + (
    " ON CONFLICT (start, kind, rule) DO UPDATE SET "
    "requests = rule_day.requests + EXCLUDED.requests"
)
_KNOWN = "SELECT start, kind, rule FROM rule_day WHERE start >= ?"


def write_rule_counts(database: pw.Database, rows: Iterable[LogRow]) -> None:
    """Add what log rows tell in `rules_met`, inside the caller's transaction."""
    words = Counter(
        (row["created_at"] // DAY_MS * DAY_MS, kind, told)
        for row in rows
        for kind, told in row.get("rules_met", ())
    )
    met = Counter[tuple[int, str, str]]()
    for (start, kind, told), requests in words.items():  # few, in all of a batch
        met[start, kind, plain_rule(told)] += requests
    if not met:
        return
    known = {*select(database, _KNOWN, (min(met)[0],))}
    names = Counter((start, kind) for start, kind, _ in known)
    counts = Counter[tuple[int, str, str]]()
    for key, requests in sorted(met.items()):
        period = key[:2]
        if key not in known and names[period] >= MOST_RULES:
            key = (*period, OTHER_RULES)
        elif key not in known:
            names[period] += 1
        counts[key] += requests
    execute_many(database, _UPSERT, [(*key, n) for key, n in sorted(counts.items())])


def plain_rule(told: str) -> str:
    """The rule in what a row tells of one request."""
    return _NOT_PLAIN.sub("_", _POSITION.sub("", told))[:LONGEST_RULE]


def remove_rule_counts(cutoff: int) -> int:
    """Without slices: a day leaves a few hundred rows at most."""
    return int(RuleDay.delete().where(RuleDay.start < cutoff).execute())
