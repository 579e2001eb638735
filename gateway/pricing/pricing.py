"""Prices: what a usage costs, from the dated table in prices.json.

The table is data: `match` holds globs, first match wins; a tier or a long-context
rate that is not in it is unknown, and so is the cost. A price in dollars per
million tokens is the same number in micro-dollars per token.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import translate
from functools import cache
from pathlib import Path

from gateway.protocol.facts import Usage

# What a request may call its tier; anything else has no price we know.
_TIERS = {
    None: "standard",
    "": "standard",
    "auto": "standard",
    "default": "standard",
    "standard": "standard",
    "priority": "priority",
    "fast": "priority",
    "flex": "flex",
}
# Prices are kept as whole millionths of a micro-dollar: sums are exact, and only
# the end result is rounded.
_SCALE = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Millionths of a micro-dollar per token."""

    input: int
    cached: int
    output: int
    cache_write: int | None = None  # None: billed as other input

    @classmethod
    def read(cls, prices: Mapping[str, Decimal]) -> "TokenPrices":
        return cls(**{name: int(price * _SCALE) for name, price in prices.items()})

    def cost(self, usage: Usage) -> int:
        """Micro-dollars, half a one rounded up.

        `input_tokens` includes the cached and the written ones, each of which is
        billed once, at its own rate.
        """
        total = max(0, usage.input_tokens)
        cached = min(max(0, usage.cached_tokens), total)
        written = 0
        if self.cache_write is not None:
            written = min(max(0, usage.cache_write_tokens), total - cached)
        scaled = (
            (total - cached - written) * self.input
            + cached * self.cached
            + written * (self.cache_write or 0)
            + max(0, usage.output_tokens) * self.output
        )
        return (scaled + _SCALE // 2) // _SCALE


ModelPrices = Mapping[str, TokenPrices]  # by tier; "_long" appended for long input


class PriceTable:
    """The prices of all models; the first entry whose globs match a model is its."""

    def __init__(self, path: Path) -> None:
        data = json.loads(path.read_bytes(), parse_float=Decimal, parse_int=Decimal)
        # Input tokens; the rate above holds for the whole request.
        self._long_above = int(data["long_context_above_input_tokens"])
        globs: list[list[str]] = [entry.pop("match") for entry in data["models"]]
        # All globs as one, for a turn asks twice and the table is long: group n
        # matches what the n-th entry does, and no entry before it.
        self._pattern = re.compile(
            "|".join(f"({'|'.join(map(translate, some))})" for some in globs)
        )
        self._models: list[ModelPrices] = [
            {name: TokenPrices.read(prices) for name, prices in entry.items()}
            for entry in data["models"]
        ]
        every = [prices for model in self._models for prices in model.values()]
        self._highest = TokenPrices(
            input=max(prices.input for prices in every),
            # A rate that is not given is the one for other input.
            cached=max(prices.cached for prices in every),
            output=max(prices.output for prices in every),
            cache_write=max(prices.cache_write or prices.input for prices in every),
        )

    def cost(self, model: str | None, usage: Usage, tier: str | None) -> int | None:
        """Micro-dollars; None when model, tier or their combination has no price.

        `tier` is the one upstream says it served, not the one asked for.
        """
        name = _TIERS.get(tier.strip().lower() if tier else None)
        match = None if model is None else self._pattern.match(model)
        if name is None or match is None or match.lastindex is None:
            return None
        model_prices = self._models[match.lastindex - 1]
        # A model without any long-context rate has one price for all lengths.
        if usage.input_tokens > self._long_above and any(
            name.endswith("_long") for name in model_prices
        ):
            name += "_long"
        prices = model_prices.get(name)
        return None if prices is None else prices.cost(usage)

    def highest_cost(self, usage: Usage) -> int:
        """What the usage costs at most, at the table's highest rates.

        Budgets count an unpriced turn so: counted as nothing, an unknown model
        would be a way around every cost limit.
        """
        return self._highest.cost(usage)


@cache
def default_table() -> PriceTable:
    """The table shipped with the gateway; read once, so call it before serving."""
    return PriceTable(Path(__file__).with_name("prices.json"))


def cost_microdollars(
    model: str | None, usage: Usage, tier: str | None = None
) -> int | None:
    return default_table().cost(model, usage, tier)
