"""Rates: what the tokens of a request cost, by tier and length of its input. Pure.

A price in dollars per million tokens is the same number in micro-dollars per token.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from gateway.protocol.facts import Usage

# Prices are kept as whole millionths of a micro-dollar: sums are exact, and only
# the end result is rounded.
SCALE = 1_000_000
STANDARD = "standard"
# Other words for a tier. Any word may be one: what no rate names has no price.
_SAME_TIER = {"": STANDARD, "auto": STANDARD, "default": STANDARD, "fast": "priority"}


def tier_name(word: str | None) -> str:
    """A service tier as rates name it."""
    name = (word or "").strip().lower()
    return _SAME_TIER.get(name, name)


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Millionths of a micro-dollar per token; what is None is billed as other input."""

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None

    @classmethod
    def read(cls, prices: Mapping[str, Decimal]) -> "TokenPrices":
        return cls(**{name: int(price * SCALE) for name, price in prices.items()})

    def cost(self, usage: Usage) -> int:
        """Micro-dollars, half a one rounded up.

        `input_tokens` includes the cached and the written ones, each of which is
        billed once, at its own rate.
        """
        scaled = sum(tokens * price for _, tokens, price in self.parts(usage))
        return (scaled + SCALE // 2) // SCALE

    def parts(self, usage: Usage) -> tuple[tuple[str, int, int], ...]:
        """What is billed: a kind of tokens, how many, the price of one."""
        total, fresh = max(0, usage.input_tokens), self.input
        cached = min(max(0, usage.cached_tokens), total)
        written = min(max(0, usage.cache_write_tokens), total - cached)
        return (
            ("input", total - cached - written, fresh),
            ("cached", cached, fresh if self.cached is None else self.cached),
            (
                "cache_write",
                written,
                fresh if self.cache_write is None else self.cache_write,
            ),
            ("output", max(0, usage.output_tokens), self.output),
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """What holds for one tier, for whole requests with more input than `above`."""

    tier: str
    above: int
    prices: TokenPrices
    source: str
    date: str | None  # as of when, ISO 8601; None: not told


@dataclass(frozen=True, slots=True)
class PricedModel:
    """The rates of the models that the globs match."""

    match: tuple[str, ...]
    rates: tuple[Rate, ...]

    def by_length(self, tier: str) -> tuple[tuple[int, TokenPrices | None], ...]:
        """The tier's prices, the longest requests first; None where it has none.

        A length that any tier has a rate of is another length for all of them.
        """
        own = {rate.above: rate.prices for rate in self.rates if rate.tier == tier}
        lengths = sorted({rate.above for rate in self.rates}, reverse=True)
        return tuple((above, own.get(above)) for above in lengths)


class Quote(NamedTuple):
    """What a model costs in a tier, looked up once for a turn."""

    by_length: tuple[tuple[int, TokenPrices | None], ...]
    highest: TokenPrices  # that is known, for what has no price

    def cost(self, usage: Usage) -> int | None:
        """Micro-dollars; None when there is no price for that many tokens."""
        prices = self.prices(usage)
        return None if prices is None else prices.cost(usage)

    def cached_discount(self, usage: Usage) -> int:
        """What a cached token costs less than another one, in 1/SCALE micro-dollars."""
        prices = self.prices(usage)
        if prices is None or prices.cached is None:
            return 0
        return max(0, prices.input - prices.cached)

    def prices(self, usage: Usage) -> TokenPrices | None:
        """What holds for that many tokens."""
        for above, prices in self.by_length:
            if usage.input_tokens > above or not above:
                return prices
        return None

    def at_most(self, usage: Usage) -> int:
        """The cost, or that at the highest rates there are.

        Budgets count an unpriced turn so: counted as nothing, an unknown model
        would be a way around every cost limit.
        """
        cost = self.cost(usage)
        return self.highest.cost(usage) if cost is None else cost


def highest_rates(rates: Iterable[Rate]) -> dict[str | None, TokenPrices]:
    """The highest price of each kind of token by tier; None: of all tiers."""
    by_tier: dict[str | None, list[TokenPrices]] = {}
    for rate in rates:
        for name in (rate.tier, None):
            by_tier.setdefault(name, []).append(rate.prices)
    return {tier: _highest(prices) for tier, prices in by_tier.items()}


def _highest(every: list[TokenPrices]) -> TokenPrices:
    # A rate that is not given is the one for other input.
    return TokenPrices(
        input=max(one.input for one in every),
        output=max(one.output for one in every),
        cached=max(one.input if one.cached is None else one.cached for one in every),
        cache_write=max(
            one.input if one.cache_write is None else one.cache_write for one in every
        ),
    )
