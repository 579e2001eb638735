"""Cost of a usage: cache, tiers, long context, and what is not known."""

import json
import os
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing.price_list import PriceList, UnusablePrices, read_price_list
from gateway.pricing.pricing import Prices, PriceTable, shipped_models
from gateway.protocol.facts import Usage

MILLION = 1_000_000
SHIPPED = PriceTable(PriceList((), {}))


def cost(model, usage, tier=None, account=None, table=SHIPPED):
    return table.quote(model, tier, account).cost(usage)


def entry(*match, tier="standard", input=1, output=2, **fields):
    rate = {"tier": tier, "input": input, "output": output, **fields}
    return {"match": list(match), "rates": [rate]}


def own_table(*models, **accounts):
    document = json.dumps({"models": models, "accounts": accounts})
    return PriceTable(read_price_list(document.encode(), "own"))


@pytest.mark.parametrize(
    ("model", "fresh", "cached", "output"),
    [
        ("gpt-5.4", 2.5, 0.25, 15),
        ("gpt-5.4-2026-03-05", 2.5, 0.25, 15),
        ("gpt-5.4-mini-2026-03-17", 0.75, 0.075, 4.5),
        ("gpt-5.3-codex", 1.75, 0.175, 14),
        ("gpt-5.5", 5, 0.5, 30),
        ("gpt-6.1-sol", 2, 0.1, 10),
        # The two that a list of spring counted at half, and at fifty times.
        ("gpt-6-astra", 10, 1, 50),
        ("gpt-6-luna", 0.1, 0.01, 0.5),
    ],
)
def test_the_standard_price_of_each_kind_of_token(model, fresh, cached, output):
    tokens = 200_000
    assert cost(model, Usage(tokens)) == fresh * tokens
    assert cost(model, Usage(tokens, tokens)) == cached * tokens
    assert cost(model, Usage(0, 0, 0, tokens)) == output * tokens


def test_cached_tokens_are_part_of_the_input_and_billed_once():
    usage = Usage(input_tokens=1000, cached_tokens=800, output_tokens=10)
    assert cost("gpt-5.4", usage) == 200 * 2.5 + 800 * 0.25 + 10 * 15


def test_what_a_cached_token_costs_less():
    quote = SHIPPED.quote("gpt-5.4", None)
    assert quote.cached_discount(Usage(1000)) == 2.25 * 1_000_000
    assert SHIPPED.quote("unknown", None).cached_discount(Usage(1000)) == 0


def test_reasoning_tokens_are_part_of_the_output():
    assert cost("gpt-5.4", Usage(output_tokens=10, reasoning_tokens=8)) == 150


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (None, 1765),
        ("", 1765),
        ("auto", 1765),
        ("default", 1765),
        ("Standard", 1765),
        ("priority", 3530),
        (" fast ", 3530),
        ("flex", 886),
        ("scale", None),
        ("ultrafast", None),
        ("x" * 10_000, None),
    ],
)
def test_tiers_of_a_short_request(tier, expected):
    usage = Usage(input_tokens=1000, cached_tokens=700, output_tokens=56)
    assert cost("gpt-5.4", usage, tier) == expected


@pytest.mark.parametrize(
    ("tier", "fresh", "cached", "output"),
    [(None, 5, 0.5, 22.5), ("flex", 2.5, 0.25, 11.25)],
)
def test_above_the_threshold_the_whole_request_is_dearer(tier, fresh, cached, output):
    usage = Usage(input_tokens=272_001, cached_tokens=100_000, output_tokens=1000)
    exact = Fraction(172_001) * Fraction(fresh) + 100_000 * Fraction(cached)
    exact += 1000 * Fraction(output)
    assert cost("gpt-5.4", usage, tier) == int(exact + Fraction(1, 2))


def test_the_threshold_itself_is_not_long():
    assert cost("gpt-5.4", Usage(272_000)) == 680_000
    assert cost("gpt-5.4", Usage(272_001)) == 1_360_005


@pytest.mark.parametrize(
    ("model", "tier", "tokens"),
    [
        (None, None, 1),
        ("", None, 1),
        ("gpt-6.2-sol", None, 1),
        ("gpt-5.4-other", None, 1),
        ("GPT-5.4", None, 1),
        ("x" * 10_000, None, 1),
        ("gpt-5.4-nano", "priority", 1),
        ("gpt-5.4", "ultrafast", 1),
        ("gpt-5.4", "priority", 300_000),
        ("gpt-5.5", "priority", 300_000),
    ],
)
def test_what_has_no_price_has_no_cost(model, tier, tokens):
    assert cost(model, Usage(tokens), tier) is None


def test_a_model_without_long_rates_has_one_price():
    assert cost("gpt-5.4-mini", Usage(300_000)) == 225_000


@pytest.mark.parametrize("usage", [Usage(-5, -5, -5, -5), Usage(0, 100, 100), Usage()])
def test_odd_numbers_cost_nothing(usage):
    assert cost("gpt-5.4", usage) == 0


def test_an_owners_prices_go_first_and_replace_all_of_a_model():
    table = own_table(entry("gpt-5.4", input=7), entry("gpt-5.4*", input=9))
    assert cost("gpt-5.4", Usage(10), table=table) == 70
    assert cost("gpt-5.4-new", Usage(10), table=table) == 90
    assert cost("gpt-5.4", Usage(10), "flex", table=table) is None
    assert cost("gpt-5.5", Usage(10), table=table) == 50


def test_an_account_may_have_prices_of_its_own():
    table = own_table(entry("gpt-5.4", input=7), azure=[entry("gpt-5.4", input=8)])
    assert cost("gpt-5.4", Usage(10), account="azure", table=table) == 80
    assert cost("gpt-5.5", Usage(10), account="azure", table=table) == 50
    assert cost("gpt-5.4", Usage(10), account="other", table=table) == 70


def test_a_price_at_one_account_is_a_price():
    table = own_table(azure=[entry("mine"), entry("odd", above=10)])
    assert table.has_price("mine", None, Usage(10))
    assert not table.has_price("mine", "flex", Usage(10))
    assert not table.has_price("odd", None, Usage(10))
    assert not table.has_price("others", None, Usage(10))


def test_an_unpriced_turn_counts_at_the_dearest_of_its_tier():
    usage = Usage(1000, output_tokens=10)
    assert SHIPPED.quote("unknown", None).at_most(usage) == 60 * 1000 + 270 * 10
    assert SHIPPED.quote("unknown", "priority").at_most(usage) == 40_000 + 1_500
    # Of a tier that nothing is known of it is the dearest of all.
    assert SHIPPED.quote("gpt-5.4", "scale").at_most(usage) == 120_000 + 4_500
    dear = own_table(azure=[entry("x", input=900, output=1, tier="gold")])
    assert dear.quote("unknown", "gold").at_most(usage) == 900_000 + 10
    assert dear.quote("unknown", "tin").at_most(usage) == 900_000 + 4_500


tokens = st.integers(-10, 2 * MILLION)
tiers = st.sampled_from([None, "flex", "priority", "ultrafast", "scale"])
models = st.sampled_from(["unknown", *(one.match[0] for one in shipped_models())])


@given(models, tokens, tokens, tokens, tokens, tiers)
def test_a_cost_is_never_negative_nor_above_the_dearest(
    model, fresh, cached, write, out, tier
):
    quote, usage = SHIPPED.quote(model, tier), Usage(fresh, cached, write, out)
    found = quote.cost(usage)
    assert found is None or 0 <= found <= quote.highest.cost(usage)
    assert quote.at_most(usage) >= 0


def test_every_shipped_rate_tells_its_source_and_date():
    for model in shipped_models():
        for rate in model.rates:
            assert rate.source.split()[0] in ("genai-prices", "litellm")
            assert rate.date > "2026-04"


def test_a_list_with_a_mistake_leaves_the_one_before(tmp_path):
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"models": [entry("mine", input=3)]}))
    prices = Prices(file)
    file.write_text("{")
    prices.reload()
    assert "own.json: no JSON" in prices.problem
    assert cost("mine", Usage(10), table=prices.table) == 30
    file.write_text(json.dumps({"models": [entry("mine", input=4)]}))
    prices.reload()
    assert prices.problem is None
    assert cost("mine", Usage(10), table=prices.table) == 40


def test_a_list_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UnusablePrices, match=r"none\.json: No such file"):
        Prices(tmp_path / "none.json")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UnusablePrices, match="is no file"):
            Prices(path)


def test_a_list_may_be_far_away(tmp_path):
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    (folder / "own.json").write_text(json.dumps({"models": [entry("mine", input=3)]}))
    assert cost("mine", Usage(10), table=Prices(folder / "own.json").table) == 30
