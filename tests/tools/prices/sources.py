"""What the sources say of OpenAI's models: rates by model, tier and length. Pure.

Nothing is fetched here but what is installed or handed over; the updater that
genai-prices has is never started.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from gateway.pricing.rates import STANDARD, tier_name

# Models that answer in text and that Codex or the SDKs of today are asked for, as
# OpenAI spells them: others write gpt-5-4.
_MODELS = re.compile(
    r"(gpt-(4\.1|[5-9])(?!-\d(?!\d))|o[34]\b|codex-)(?!.*(audio|image|search|live))"
)
_PRICES = {"input": "input", "output": "output", "cache_read": "cached"}
_PRICES["cache_write"] = "cache_write"
_DATED = re.compile(r"-20\d\d-\d\d-\d\d$")
_DATES = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_MILLION = 1_000_000

Place = tuple[str, int]  # tier, input tokens that the request has more than


@dataclass(frozen=True, slots=True)
class Told:
    """One rate as one source has it; prices in dollars per million tokens."""

    prices: Mapping[str, Decimal]
    source: str
    date: str | None  # the source's own; None: it tells none


Rates = dict[str, dict[Place, Told]]  # by model


def genai_rates(provider: Any, release: str, today: date) -> Rates:
    """Of genai-prices' provider: each tier's own rates, as they hold today."""
    found: Rates = {}
    for model in provider.models:
        names = [name for name in _names(model.match) if _MODELS.match(name)]
        if not _MODELS.match(model.id) or not model.prices:
            continue
        now = datetime.combine(today, time(), UTC)
        by_tier = {STANDARD: model.get_prices(now)}
        for variant in model.price_variants or ():
            tier = variant.when.get("service_tier")
            holds = variant.constraint is None or variant.constraint.active(now)
            if tier is not None and holds:
                by_tier.setdefault(tier_name(tier), variant.prices)
        source = f"genai-prices {release}"
        told_at = _latest_date(model, today)
        rates = {
            (tier, above): Told(prices, source, told_at)
            for tier, one in by_tier.items()
            for above, prices in _by_length(one)
        }
        for name in {model.id, *names}:
            found[name] = rates
    return found


def _names(match: Any) -> Iterator[str]:
    """The names a clause is equal to, at any depth."""
    name = getattr(match, "equals", None)
    if name is not None:
        yield name
    for clause in getattr(match, "or_", ()):
        yield from _names(clause)


def _latest_date(model: Any, today: date) -> str | None:
    """The latest day that the source says it looked at, or changed, the price."""
    told = _DATES.findall(model.price_comments or "")
    conditions = [*(model.price_variants or ())]
    conditions += model.prices if isinstance(model.prices, list) else []
    for one in conditions:
        start = getattr(one.constraint, "start_date", None)
        told += [start.isoformat()] if start else []
    return max((day for day in told if day <= today.isoformat()), default=None)


def _by_length(prices: Any) -> Iterator[tuple[int, dict[str, Decimal]]]:
    """Each length that some price of it has a tier for; prices that have none stay."""
    given = {
        ours: value
        for theirs, ours in _PRICES.items()
        if (value := getattr(prices, f"{theirs}_mtok", None)) is not None
    }
    starts = {0} | {
        tier.start for value in given.values() for tier in getattr(value, "tiers", ())
    }
    for start in sorted(starts):
        rate = {name: _at(value, start) for name, value in given.items()}
        if {"input", "output"} <= rate.keys():
            yield start, rate


def _at(value: Any, start: int) -> Decimal:
    price = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):
        if tier.start <= start:
            price = tier.price
    return Decimal(price)


_KEY = re.compile(
    r"(?P<kind>input_cost_per_token|output_cost_per_token"
    r"|cache_read_input_token_cost|cache_creation_input_token_cost)"
    r"(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>[a-z]+))?"
)
_KINDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached",
    "cache_creation_input_token_cost": "cache_write",
}
# Through other APIs than those that the gateway serves.
_OTHER_TIERS = {"batches", "decisions"}


def litellm_rates(table: Mapping[str, Any], release: str) -> Rates:
    """Of litellm's table, in which no row tells of when it is."""
    found: Rates = {}
    for name, row in table.items():
        if (
            row.get("litellm_provider") != "openai"
            or row.get("mode") not in ("chat", "responses")
            or not _MODELS.match(name)
        ):
            continue
        rates: dict[Place, dict[str, Decimal]] = {}
        for key, value in row.items():
            match = _KEY.fullmatch(key)
            if match is None or match["tier"] in _OTHER_TIERS:
                continue
            place = match["tier"] or STANDARD, int(match["above"] or 0) * 1000
            price = (Decimal(repr(value)) * _MILLION).normalize()
            rates.setdefault(place, {})[_KINDS[match["kind"]]] = price
        found[name] = {
            place: Told(prices, f"litellm {release}", None)
            for place, prices in rates.items()
            if {"input", "output"} <= prices.keys()
        }
    return found


def base_name(model: str) -> str:
    """A model's name without the day of its version."""
    return _DATED.sub("", model)
