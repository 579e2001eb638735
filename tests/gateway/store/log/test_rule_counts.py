"""How often a rule was met, by day: what is one rule, and how much is kept."""

import pytest

from gateway.store import models
from gateway.store.batches import write_batch
from gateway.store.database import migrate, open_database
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.queries import rule_report
from gateway.store.log.retention import RULE_DAYS, remove_slice
from gateway.store.log.rule_counts import MOST_RULES, OTHER_RULES, plain_rule
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import log_row

DAY = 20_000 * DAY_MS


@pytest.fixture
def database(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        yield opened
    models.database.initialize(None)


def write(database, *rules, at=DAY):
    """One request a rule, all in one batch."""
    rows = [log_row(created_at=at, rules_met=[rule]) for rule in rules]
    write_batch(database, Batch(rows=[(0.0, row) for row in rows]))


def counts(since=DAY):
    return [(r["kind"], r["rule"], r["requests"]) for r in rule_report(since)]


def test_requests_are_counted_by_rule_kind_and_day(database):
    write(database, ("changed", "x"), ("changed", "x"), ("refused", "x"))
    write(database, ("changed", "x"), at=DAY + DAY_MS - 1)
    write(database, ("changed", "y"), at=DAY + DAY_MS)
    write(database)
    assert counts() == [("changed", "y", 1), ("changed", "x", 3), ("refused", "x", 1)]
    assert counts(DAY + DAY_MS) == [("changed", "y", 1)]


def test_a_day_has_so_many_names_of_a_kind_and_other(database):
    many = [("new shape", f"t{n:04}") for n in range(MOST_RULES + 5)]
    write(database, *many[:MOST_RULES])
    write(database, many[0], *many[MOST_RULES:], ("changed", "x"))
    found = {(kind, rule): n for kind, rule, n in counts()}
    assert len(found) == MOST_RULES + 2
    assert found["new shape", OTHER_RULES] == 5
    assert (found[many[0]], found["changed", "x"]) == (2, 1)
    write(database, many[-1], at=DAY + DAY_MS)
    assert counts(DAY + DAY_MS) == [(*many[-1], 1)]


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ("tools[2].type x is", "tools[].type x is"),
        ("3 reasoning items dropped", "reasoning items dropped"),
        ("web_search_2026 tool dropped", "web_search_2026 tool dropped"),
        ("a\0b\ud800\n", "a_b__"),
        ("x" * 65, "x" * 64),
    ],
)
def test_a_rule_is_named_without_places_and_plainly(told, rule):
    assert plain_rule(told) == rule


def test_counts_go_after_a_year(database):
    write(database, ("changed", "x"), at=DAY)
    write(database, ("changed", "x"), at=DAY + DAY_MS)
    remove_slice(DAY + (RULE_DAYS + 1) * DAY_MS, 100_000)
    assert counts() == [("changed", "x", 1)]
