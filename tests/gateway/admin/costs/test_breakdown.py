"""What a row costs is made of: each kind of token, at its price."""

import pytest

from gateway.admin.costs.breakdown import billed_tokens, quote_of_row, usage_of_row
from gateway.pricing.price_list import PriceList
from gateway.pricing.pricing import PriceTable

SHIPPED = PriceTable(PriceList((), {}))


def row(**more):
    return {
        **{"model": "gpt-5.4", "account": None, "receipt": {}},
        **{"requested_tier": None, "service_tier": None},
        **{"input_tokens": 300_000, "cached_tokens": 100_000},
        **{"cache_write_tokens": 7, "output_tokens": 900, "reasoning_tokens": 400},
        **more,
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"service_tier": "priority", "input_tokens": 200_000},
        {"input_tokens": 10, "cached_tokens": 99},
    ],
)
def test_the_parts_are_the_cost(more):
    told = row(**more)
    parts = billed_tokens(SHIPPED, told)
    cost = quote_of_row(SHIPPED, told, None).cost(usage_of_row(told))
    assert abs(sum(part.microdollars for part in parts) - cost) <= 0.5
    fresh_and_others = [part.tokens for part in parts if part.kind != "output"]
    assert sum(fresh_and_others) == told["input_tokens"]


def test_the_model_that_was_served_is_billed():
    served = row(model="unknown", receipt={"served": "gpt-5.4"})
    assert billed_tokens(SHIPPED, served) == billed_tokens(SHIPPED, row())


def test_what_has_no_price_has_no_parts():
    assert billed_tokens(SHIPPED, row(model="unknown")) == []
