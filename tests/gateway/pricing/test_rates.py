"""What tokens of each kind cost, exactly."""

from decimal import Decimal

import pytest

from gateway.pricing.rates import PricedModel, Quote, Rate, TokenPrices
from gateway.protocol.facts import Usage


def read(**rates):
    return TokenPrices.read({name: Decimal(rate) for name, rate in rates.items()})


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
    assert read(input=1, cached=2, cache_write=4, output=8).cost(usage) == cost


def test_what_has_no_rate_is_other_input():
    usage = Usage(1000, cached_tokens=300, cache_write_tokens=400)
    assert read(input=2, output=9).cost(usage) == 2000


def test_half_a_micro_dollar_is_rounded_up():
    assert read(input="0.5", output=0).cost(Usage(1)) == 1
    assert read(input="0.499999", output=0).cost(Usage(1)) == 0


def test_a_length_that_one_tier_prices_is_another_length_for_all():
    one, two, high = (
        read(input=1, output=1),
        read(input=2, output=1),
        read(input=9, output=9),
    )
    model = PricedModel(
        ("m",),
        (
            Rate("standard", 0, one, "x", None),
            Rate("standard", 10, two, "x", None),
            Rate("flex", 0, one, "x", None),
            Rate("long", 20, one, "x", None),
        ),
    )
    lengths = Usage(10), Usage(11), Usage(21)

    def costs(tier):
        return [Quote(model.by_length(tier), high).cost(usage) for usage in lengths]

    assert costs("standard") == [10, 22, None]
    assert costs("flex") == [10, None, None]
    assert costs("long") == [None, None, 21]
    assert costs("none") == [None] * 3
