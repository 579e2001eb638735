"""What a usage costs, from the dated price table in prices.json.

The table is data: `match` holds globs, first match wins; a tier or a long-context
rate that is not in it is unknown, and so is the cost. A price in dollars per
million tokens is the same number in micro-dollars per token.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import translate
from functools import cache
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True, slots=True)
class ModelPrices:
    match: tuple[str, ...]
    rates: Mapping[str, TokenPrices]  # by tier, "_long" appended above the threshold

    def find(self, tier: str, *, is_long: bool) -> TokenPrices | None:
        """A model without any long-context rate has one price for all lengths."""
        if is_long and any(name.endswith("_long") for name in self.rates):
            return self.rates.get(f"{tier}_long")
        return self.rates.get(tier)


@dataclass(frozen=True, slots=True)
class PriceTable:
    as_of: str
    long_above: int  # input tokens; the rate above it holds for the whole request
    models: tuple[ModelPrices, ...]
    # All globs as one: a turn asks twice, and the table is long.
    _pattern: re.Pattern[str]
    _dearest: TokenPrices

    @classmethod
    def read(cls, path: Path) -> "PriceTable":
        data = json.loads(path.read_bytes(), parse_float=Decimal, parse_int=Decimal)
        models = tuple(_read_model(entry) for entry in data["models"])
        return cls(
            as_of=data["as_of"],
            long_above=int(data["long_context_above_input_tokens"]),
            models=models,
            _pattern=_pattern_of(models),
            _dearest=_dearest_of(models),
        )

    def find(self, model: str) -> ModelPrices | None:
        """The first entry that names the model."""
        found = self._pattern.match(model)
        if found is None or found.lastindex is None:
            return None
        return self.models[found.lastindex - 1]

    def cost(self, model: str | None, usage: Usage, tier: str | None) -> int | None:
        """Micro-dollars; None when model, tier or their combination has no price.

        `tier` is the one upstream says it served, not the one asked for.
        """
        name = _TIERS.get(tier.strip().lower() if tier else None)
        if model is None or name is None:
            return None
        prices = self.find(model)
        if prices is None:
            return None
        rates = prices.find(name, is_long=usage.input_tokens > self.long_above)
        return None if rates is None else rates.cost(usage)

    def highest_cost(self, usage: Usage) -> int:
        """What the usage costs at most, at the table's dearest rates.

        Budgets count an unpriced turn so: counted as nothing, an unknown model
        would be a way around every cost limit.
        """
        return self._dearest.cost(usage)


def _pattern_of(models: Sequence[ModelPrices]) -> re.Pattern[str]:
    """Group n matches what the n-th entry does, and no entry before it."""
    return re.compile(
        "|".join(f"({'|'.join(map(translate, prices.match))})" for prices in models)
    )


def _dearest_of(models: Sequence[ModelPrices]) -> TokenPrices:
    rates = [rate for prices in models for rate in prices.rates.values()]
    return TokenPrices(
        input=max(rate.input for rate in rates),
        # A rate that is not given is the one for other input.
        cached=max(rate.cached for rate in rates),
        output=max(rate.output for rate in rates),
        cache_write=max(rate.cache_write or rate.input for rate in rates),
    )


def _read_model(entry: Mapping[str, Any]) -> ModelPrices:
    return ModelPrices(
        match=tuple(entry["match"]),
        rates={
            name: TokenPrices.read(prices)
            for name, prices in entry.items()
            if name != "match"
        },
    )


@cache
def default_table() -> PriceTable:
    """The table shipped with the gateway; read once, so call it before serving."""
    return PriceTable.read(Path(__file__).with_name("prices.json"))


def cost_microdollars(
    model: str | None, usage: Usage, tier: str | None = None
) -> int | None:
    return default_table().cost(model, usage, tier)
