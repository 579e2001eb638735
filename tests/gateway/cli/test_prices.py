"""`run.py prices` where no gateway runs."""

import json

import pytest

from gateway.store import models
from gateway.store.batches import write_batch
from gateway.store.database import migrate, open_database
from gateway.store.models import now_ms
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import log_row


@pytest.fixture
def own(tmp_path):
    def write(*names):
        rates = [{"input": 3, "output": 0}]
        entries = [{"match": [name], "rates": rates} for name in names]
        file = tmp_path / "own.json"
        file.write_text(json.dumps({"date": "2099-01-01", "models": entries}))
        return {"GATEWAY_PRICES": str(file)}

    return write


@pytest.fixture
def logged(commands):
    """A log with a priced and an unpriced request."""
    commands.good("keys", "list")
    database = open_database(f"sqlite:///{commands.data_dir / 'gateway.db'}")
    models.database.initialize(database)
    with database.connection_context():
        migrate(database)
        rows = [
            log_row(model="gpt-99", input_tokens=1000),
            log_row(model="gpt-5.4", input_tokens=1000, cost_microdollars=2_500),
        ]
        write_batch(database, Batch(rows=[(0.0, row) for row in rows]))
    models.database.initialize(None)


def test_prices_are_shown_with_source_and_date(commands, own):
    out = commands.good("prices", "--model", "gpt-5.5").out.splitlines()
    assert out[0].split()[:5] == ["MODELS", "ACCOUNT", "TIER", "ABOVE", "INPUT"]
    assert out[1].split()[:5] == ["gpt-5.5", "-", "standard", "0", "5.0"]
    assert "genai-prices" in out[1]
    assert "There is no price." in commands.good("prices", "--model", "gpt-99").out
    [row] = commands.good("prices", "--model", "gpt-99", "--json", **own("gpt-99")).rows
    assert (row["input"], row["source"][-8:]) == (3.0, "own.json")


def test_a_mistake_in_the_list_is_told(commands, tmp_path):
    file = tmp_path / "own.json"
    file.write_text('{"models": [{"match": ["m"], "rates": [{"input": 1}]}]}')
    done = commands("prices", GATEWAY_PRICES=str(file))
    told = f"Error: {file}: models[0].rates[0].output: is missing\n"
    assert (done.status, done.err) == (1, told)


def test_what_is_missing_makes_the_check_fail(commands, logged, own):
    def findings(**changes):
        """Apart from those that only time brings."""
        rows = commands("prices", "check", "--json", **changes).rows
        found = [row for row in rows if row["problem"] != "old"]
        return [(row["problem"], row["model"], row["requests"]) for row in found]

    done = commands("prices", "check")
    assert (done.status, "gpt-99" in done.out) == (1, True)
    assert findings() == [("missing", "gpt-99", 1)]
    assert findings(**own("gpt-99")) == [("recost", "gpt-99", 1)]


def test_nothing_seen_nothing_missing(commands):
    done = commands.good("prices", "check")
    assert done.out == "Every model seen since 30d has a price, none an old one.\n"


def test_costs_are_counted_again(commands, logged, own):
    mine = own("gpt-99")
    out = commands.good("prices", "recost", "--dry-run", **mine).out
    assert "$0.00, 1 unpriced" in out
    assert "Nothing was changed." in out
    rows = commands.good("prices", "recost", "--json", **mine).rows
    assert [(row["model"], row["changed"]) for row in rows] == [
        ("gpt-5.4", 0),
        ("gpt-99", 1),
    ]
    [total] = commands.rows("usage", "--by", "account")
    assert (total["cost_microdollars"], total["unpriced"]) == (5_500, 0)
    out = commands.good("prices", "recost").out  # without the list it has no price
    assert out.splitlines()[-1].split("  ")[0] == "all"
    [total] = commands.rows("usage", "--by", "account")
    assert (total["cost_microdollars"], total["unpriced"]) == (2_500, 1)


def test_only_a_running_gateway_reads_again(commands):
    done = commands("prices", "reload")
    assert (done.status, "No gateway runs on" in done.err) == (1, True)


def test_a_limit_tells_what_it_counted_without_a_price(commands, logged):
    commands.good("keys", "create", "ada", "--limit", "cost 5/30d")
    [row] = commands.rows("keys", "list")
    assert row["usage"][0]["unpriced_requests"] == 0
    database = open_database(f"sqlite:///{commands.data_dir / 'gateway.db'}")
    models.database.initialize(database)
    with database.connection_context():
        made = log_row(
            created_at=now_ms(), api_key_id=row["id"], model="gpt-99", input_tokens=1
        )
        write_batch(database, Batch(rows=[(0.0, made)]))
    models.database.initialize(None)
    assert "$0.00 (1 unpriced)" in commands.good("keys", "list").out
