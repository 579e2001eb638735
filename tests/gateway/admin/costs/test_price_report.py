"""What is told of prices: those that count, and what is wrong with them."""

import json
from datetime import date, timedelta

import pytest

from gateway.admin.costs.price_report import check_prices, show_prices
from gateway.pricing.pricing import Prices
from gateway.store import models
from gateway.store.batches import write_batch
from gateway.store.database import migrate, open_database
from gateway.store.models import AccountRow
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import NOW, log_row

TODAY = date(2026, 12, 1)
RATES = [{"input": 3, "output": 4}]


@pytest.fixture
def own(tmp_path):
    """Prices before which an owner's list goes."""

    def made(**document):
        (tmp_path / "own.json").write_text(json.dumps(document))
        return Prices(tmp_path / "own.json")

    return made


@pytest.fixture
def seen(tmp_path):
    """Puts rows that used something into the log of a database."""
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        AccountRow.create(id=1, name="azure", kind="api_key", credentials="")

        def fill(*rows):
            used = [log_row(**{"input_tokens": 10} | row) for row in rows]
            write_batch(opened, Batch(rows=[(0.0, row) for row in used]))

        yield fill
    models.database.initialize(None)


def problems(prices, today=TODAY):
    return [
        (one["problem"], one["model"], one["told"])
        for one in check_prices(prices.table, NOW - 1000, today)
    ]


def test_an_owners_prices_are_shown_before_the_shipped_ones(own):
    entry = {"match": ["gpt-5.4"], "rates": RATES}
    prices = own(date="2026-11-01", models=[entry], accounts={"azure": [entry]})
    shown = show_prices(prices)
    azure, general = shown["prices"][:2]
    assert (azure["account"], general["account"]) == ("azure", None)
    assert general["models"] == ["gpt-5.4"]
    assert (general["source"], general["date"]) == (str(prices.file), "2026-11-01")
    assert (shown["file"], shown["problem"]) == (str(prices.file), None)
    one = show_prices(prices, "gpt-5.4", "azure")["prices"]
    assert [row["account"] for row in one] == ["azure"]
    shipped = show_prices(prices, "gpt-5.5")["prices"]
    assert {row["tier"] for row in shipped} == {"standard", "flex", "priority"}
    assert show_prices(prices, "gpt-99")["prices"] == []


def test_what_is_seen_and_has_no_price_is_missing(own, seen):
    seen(
        {"model": "gpt-99"},
        {"model": "gpt-99"},
        {"model": "gpt-5.4", "service_tier": "scale"},
        {"model": "gpt-5.4", "service_tier": "priority", "input_tokens": 300_000},
        {"model": "gpt-5.4", "receipt": '{"served": "gpt-98"}'},
        {"model": "gpt-5.5", "cost_microdollars": 50},
        {"model": "gpt-97", "input_tokens": 0},
    )
    assert problems(Prices()) == [
        ("missing", "gpt-99", "2 unpriced: no price"),
        ("missing", "gpt-5.4", "1 unpriced: no price for tier or length"),
        ("missing", "gpt-5.4", "1 unpriced: no price for tier or length"),
        ("missing", "gpt-98", "1 unpriced: no price"),
    ]
    general = [{"match": ["gpt-9?"], "rates": RATES}]
    told = problems(own(date="2026-11-30", models=general))
    assert ("recost", "gpt-99", "2 logged without a price") in told
    assert ("missing", "gpt-99") not in [one[:2] for one in told]


def test_what_is_older_than_sixty_days_is_told_where_it_counts(own, seen):
    seen({"model": "gpt-5.5", "cost_microdollars": 1})
    prices = Prices()
    told_at = min(rate.date for rate in prices.table.entry("gpt-5.5").rates)
    last = date.fromisoformat(told_at) + timedelta(days=60)
    assert problems(prices, last) == []
    [(problem, model, told)] = problems(prices, last + timedelta(days=1))
    assert (problem, model) == ("old", "gpt-5.5")
    assert told.startswith(f"as of {told_at} (genai-prices")


def test_an_owners_own_are_looked_at_seen_or_not(own, seen):
    seen()
    entry = {"match": ["mine"], "rates": RATES}
    dated = {**entry, "match": ["old"], "date": "2026-10-01"}
    prices = own(models=[entry, dated], accounts={"azure": [], "gone": [dated]})
    assert problems(prices) == [
        ("old", "mine", f"no date ({prices.file})"),
        ("old", "old", f"as of 2026-10-01 ({prices.file})"),
        ("old", "old", f"as of 2026-10-01 ({prices.file})"),
        ("account", None, "there is no such account"),
    ]
