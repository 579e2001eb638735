"""Cost of a usage: cache, tiers, long context, and what is not known."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing.pricing import (
    PriceTable,
    TokenPrices,
    cost_microdollars,
    default_table,
)
from gateway.protocol.facts import Usage

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "fresh", "cached", "output"),
    [
        ("gpt-5.4", 2.5, 0.25, 15),
        ("gpt-5.4-2026-03-05", 2.5, 0.25, 15),
        ("gpt-5.4-mini", 0.75, 0.075, 4.5),
        ("gpt-5.4-mini-2026-03-17", 0.75, 0.075, 4.5),
        ("gpt-5.3-codex", 1.75, 0.175, 14),
        ("gpt-5.2-codex", 1.75, 0.175, 14),
        ("gpt-5.2", 1.75, 0.175, 14),
        ("gpt-5.1", 1.25, 0.125, 10),
        ("gpt-5", 1.25, 0.125, 10),
        ("codex-mini", 0.25, 0.025, 2),
    ],
)
def test_the_standard_price_of_each_kind_of_token(model, fresh, cached, output):
    tokens = 200_000
    assert cost_microdollars(model, Usage(tokens)) == fresh * tokens
    assert cost_microdollars(model, Usage(tokens, tokens)) == cached * tokens
    assert cost_microdollars(model, Usage(0, 0, 0, tokens)) == output * tokens


def test_cached_tokens_are_part_of_the_input_and_billed_once():
    usage = Usage(input_tokens=1000, cached_tokens=800, output_tokens=10)
    assert cost_microdollars("gpt-5.4", usage) == 200 * 2.5 + 800 * 0.25 + 10 * 15


def test_reasoning_tokens_are_part_of_the_output():
    usage = Usage(output_tokens=10, reasoning_tokens=8)
    assert cost_microdollars("gpt-5.4", usage) == 150


@pytest.mark.parametrize(
    ("tier", "cost"),
    [
        (None, 1765),
        ("", 1765),
        ("auto", 1765),
        ("default", 1765),
        ("Standard", 1765),
        ("priority", 3530),
        (" fast ", 3530),
        ("flex", 883),  # 882.5 rounds up
        ("scale", None),
    ],
)
def test_tiers_of_a_short_request(tier, cost):
    usage = Usage(input_tokens=1000, cached_tokens=700, output_tokens=56)
    assert cost_microdollars("gpt-5.4", usage, tier) == cost


@pytest.mark.parametrize(
    ("tier", "fresh", "cached", "output"),
    [(None, 5, 0.5, 22.5), ("flex", 2.5, 0.25, 11.25)],
)
def test_above_the_threshold_the_whole_request_is_dearer(tier, fresh, cached, output):
    usage = Usage(input_tokens=272_001, cached_tokens=100_000, output_tokens=1000)
    cost = Fraction(172_001) * Fraction(fresh) + 100_000 * Fraction(cached)
    cost += 1000 * Fraction(output)
    assert cost_microdollars("gpt-5.4", usage, tier) == int(cost + Fraction(1, 2))


def test_the_threshold_itself_is_not_long():
    assert cost_microdollars("gpt-5.4", Usage(272_000)) == 680_000
    assert cost_microdollars("gpt-5.4", Usage(272_001)) == 1_360_005


@pytest.mark.parametrize(
    ("model", "tier", "tokens"),
    [
        (None, None, 1),
        ("", None, 1),
        ("gpt-6", None, 1),
        ("gpt-5.4-pro", None, 1),
        ("gpt-5.4-nano", None, 1),
        ("gpt-5.4-mini", "priority", 1),
        ("gpt-5.3-codex", "flex", 1),
        ("gpt-5.4", "priority", 300_000),
    ],
)
def test_what_has_no_price_has_no_cost(model, tier, tokens):
    assert cost_microdollars(model, Usage(tokens), tier) is None


def test_a_model_without_long_rates_has_one_price():
    assert cost_microdollars("gpt-5.4-mini", Usage(300_000)) == 225_000


@pytest.mark.parametrize(
    "usage",
    [Usage(-5, -5, -5, -5), Usage(0, 100, 100, 0), Usage()],
)
def test_odd_numbers_cost_nothing(usage):
    assert cost_microdollars("gpt-5.4", usage) == 0


@pytest.fixture
def table_with_writes(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(
        '{"as_of": "2026-01", "long_context_above_input_tokens": 10, "models": ['
        '{"match": ["m*"], "standard": {"input": 1, "cached": 0.1,'
        ' "cache_write": 1.25, "output": 2}},'
        '{"match": ["*"], "standard": {"input": 9, "cached": 9, "output": 9}}]}'
    )
    return PriceTable(path)


def test_written_tokens_have_their_own_rate_where_priced(table_with_writes):
    usage = Usage(input_tokens=1000, cached_tokens=500, cache_write_tokens=400)
    assert table_with_writes.cost("model", usage, None) == 100 + 50 + 500


def test_written_tokens_are_other_input_where_not():
    usage = Usage(input_tokens=1000, cache_write_tokens=400)
    assert cost_microdollars("gpt-5.4", usage) == 2500


def test_the_first_matching_entry_counts(table_with_writes):
    assert table_with_writes.cost("model", Usage(5), None) == 5
    assert table_with_writes.cost("other", Usage(5), None) == 45


def test_an_unpriced_turn_counts_as_the_dearest():
    assert default_table().highest_cost(Usage(1000, 0, 0, 10)) == 5 * 1000 + 30 * 10


tokens = st.integers(-10, 2 * MILLION)


@given(tokens, tokens, tokens, tokens, st.sampled_from([None, "flex", "priority"]))
def test_a_cost_is_never_negative_nor_above_the_dearest(
    fresh, cached, write, out, tier
):
    usage = Usage(fresh, cached, write, out)
    cost = cost_microdollars("gpt-5.4", usage, tier)
    assert cost is None or 0 <= cost <= default_table().highest_cost(usage)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(100, cached_tokens=40, cache_write_tokens=30), 30 * 1 + 40 * 2 + 30 * 4),
        # What is told twice is billed once: what is cached was not written.
        (Usage(100, cached_tokens=40, cache_write_tokens=90), 40 * 2 + 60 * 4),
        (Usage(100, cached_tokens=400, cache_write_tokens=90), 100 * 2),
        (Usage(100, cached_tokens=-5, cache_write_tokens=-5), 100 * 1),
        (Usage(-5, cached_tokens=5, output_tokens=-5), 0),
        (Usage(0, output_tokens=7), 7 * 8),
    ],
)
def test_each_token_of_the_input_is_billed_once(usage, cost):
    rates = {"input": 1, "cached": 2, "cache_write": 4, "output": 8}
    prices = TokenPrices.read({name: Decimal(rate) for name, rate in rates.items()})
    assert prices.cost(usage) == cost
