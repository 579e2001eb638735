"""What the list is made of: two sources, and the rule where they disagree."""

import json
from datetime import date
from decimal import Decimal
from importlib.metadata import version

import pytest
from genai_prices.data import providers

from gateway.pricing.price_list import read_price_list
from gateway.pricing.pricing import shipped_models
from gateway.pricing.rates import SCALE
from tests.tools.prices.__main__ import LIST
from tests.tools.prices.merging import as_json, choose, merge
from tests.tools.prices.sources import Told, genai_rates, litellm_rates

TODAY = date(2026, 11, 30)
[OPENAI] = [one for one in providers if one.id == "openai"]
TABLE = {
    "gpt-7": {
        "litellm_provider": "openai",
        "mode": "responses",
        "input_cost_per_token": 1.25e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.3e-07,
        "cache_creation_input_token_cost_above_12hr": 1e-05,
        "input_cost_per_token_above_272k_tokens": 2.5e-06,
        "output_cost_per_token_above_272k_tokens": 1.5e-05,
        "input_cost_per_token_flex": 6e-07,
        "input_cost_per_token_ultrafast": 6e-06,
        "output_cost_per_token_ultrafast": 6e-05,
        "input_cost_per_token_batches": 1e-07,
        "output_cost_per_token_batches": 1e-06,
        "max_input_tokens": 272000,
    },
    "gpt-7-audio": {"litellm_provider": "openai", "mode": "chat"},
    "azure/gpt-7": {"litellm_provider": "azure", "mode": "chat"},
    "gpt-image-3": {"litellm_provider": "openai", "mode": "image_generation"},
}


def test_litellms_table_by_tier_and_length():
    [(name, rates)] = litellm_rates(TABLE, "1.2").items()
    assert name == "gpt-7"
    assert {place: told.prices for place, told in rates.items()} == {
        ("standard", 0): {
            "input": Decimal("1.25"),
            "output": 10,
            "cached": Decimal("0.13"),
        },
        ("standard", 272_000): {"input": Decimal("2.5"), "output": 15},
        ("ultrafast", 0): {"input": 6, "output": 60},
    }
    assert {told.source for told in rates.values()} == {"litellm 1.2"}
    assert {told.date for told in rates.values()} == {None}


def test_genai_prices_by_tier_and_length_with_its_own_dates():
    rates = genai_rates(OPENAI, "0.2", TODAY)["gpt-6.1-sol"]
    assert rates["standard", 0].prices == {
        "input": 2,
        "output": 10,
        "cached": Decimal("0.1"),
        "cache_write": Decimal("2.5"),
    }
    assert rates["flex", 272_000].prices["output"] == Decimal("7.5")
    assert ("ultrafast", 0) not in rates
    assert "2026-10-01" < rates["standard", 0].date <= "2026-11-30"


def told(output, day=None, source="x"):
    return Told({"input": Decimal(1), "output": Decimal(output)}, source, day)


@pytest.mark.parametrize(
    ("sources", "output"),
    [
        ([told(1)], 1),
        ([told(1, "2026-01-01"), told(2, "2025-01-01")], 1),
        ([told(2, "2025-01-01"), told(1, "2026-01-01")], 1),
        ([told(1, "2026-01-01"), told(2, "2026-01-01")], 2),
        ([told(1, "2026-01-01"), told(2)], 2),
        ([told(2, "2026-01-01"), told(1)], 2),
    ],
)
def test_the_newer_counts_else_the_dearer(sources, output):
    best, others = choose(sources)
    assert best.prices["output"] == output
    assert len(others) == len(sources) - 1


def test_sources_that_agree_are_named_together():
    best, others = choose([told(1, "2026-01-01", "a"), told(1, None, "b")])
    assert (best.source, best.date, others) == ("a, b", "2026-01-01", [])


def test_a_list_that_was_made_can_be_read():
    one = {"gpt-7": {("standard", 0): told(3, "2026-10-01", "a")}}
    two = {
        "gpt-7": {("standard", 0): told(4, None, "b"), ("flex", 0): told(2, None, "b")},
        "gpt-7-2026-09-09": {("standard", 0): told(4, None, "b")},
    }
    document = {"date": "2026-11-30", "models": merge((one, two), "2026-11-30")}
    [dated, model] = read_price_list(as_json(document).encode(), "made").models
    assert dated.match == ("gpt-7-2026-09-09",)
    assert model.match == ("gpt-7", "gpt-7-20??-??-??")
    assert [(rate.tier, rate.source, rate.date) for rate in model.rates] == [
        ("standard", "b", "2026-11-30"),
        ("flex", "b", "2026-11-30"),
    ]
    [other] = document["models"][1]["rates"][0]["others"]
    assert (other["source"], other["output"]) == ("a", 3)


def test_the_shipped_list_is_that_of_the_pinned_release():
    release = version("genai-prices")
    made_on = date.fromisoformat(json.loads(LIST.read_bytes())["date"])
    found = genai_rates(OPENAI, release, made_on)
    compared = 0
    for model in shipped_models():
        for rate in model.rates:
            if f"genai-prices {release}" not in rate.source:
                continue
            for name in (
                one for one in model.match if "*" not in one and "?" not in one
            ):
                prices = found[name][rate.tier, rate.above].prices
                assert rate.prices.output == prices["output"] * SCALE, (name, rate)
                assert rate.prices.input == prices["input"] * SCALE, (name, rate)
                compared += 1
    assert compared > 100
