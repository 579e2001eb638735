"""A price list: models with their rates, read from JSON and checked. Pure.

The list shipped with the gateway, prices.json, and an owner's own have one form
(docs/settings.md).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from gateway.errors import GatewayError
from gateway.pricing.rates import SCALE, PricedModel, Rate, TokenPrices, tier_name

_PRICES = ("input", "output", "cached", "cache_write")
_HIGHEST = 1_000_000  # dollars per million tokens; far above any
_LONGEST_NAME = 120
_LONGEST_TIER = 40
_MOST_TOKENS = 2**31 - 1
_SHOWN = 40  # characters of a wrong value


class UnusablePrices(GatewayError):
    """A price list has a mistake; the message says where."""

    status = 400
    code = "invalid_prices"
    type = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class PriceList:
    """Of models, the first whose globs match counts; by name of account before it."""

    models: tuple[PricedModel, ...]
    accounts: Mapping[str, tuple[PricedModel, ...]]


def read_price_list(document: bytes, source: str) -> PriceList:
    """The list of a JSON document; `source` is where an entry names none.

    Raises UnusablePrices with the place of the first mistake.
    """
    try:
        told = json.loads(
            document, parse_float=_decimal, parse_int=_decimal, parse_constant=_decimal
        )
    except (ValueError, RecursionError) as error:
        raise UnusablePrices(f"{source}: no JSON: {error}") from error
    try:
        return _List(source).read(told)
    except _Mistake as mistake:
        raise UnusablePrices(f"{source}: {mistake}") from mistake


class _Mistake(Exception):
    """What is wrong, and where."""


def _decimal(text: str) -> Decimal:
    """A finite number, of any size that has one."""
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"{text[:_SHOWN]} is no number") from error
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number


class _List:
    """Reads one document; entries take from it what they do not tell."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._date: str | None = None

    def read(self, told: Any) -> PriceList:
        fields = _object(told, "the list", "models", "accounts", "date", "sources")
        self._date = _when(fields.get("date"), "date")
        accounts = _object(fields.get("accounts", {}), "accounts")
        return PriceList(
            self._models(fields.get("models", []), "models"),
            {
                name: self._models(models, f"accounts.{name}")
                for name, models in accounts.items()
            },
        )

    def _models(self, told: Any, at: str) -> tuple[PricedModel, ...]:
        return _each(told, at, self._model)

    def _model(self, told: Any, at: str) -> PricedModel:
        fields = _object(told, at, "match", "rates", "source", "date")
        source = _source(fields, at, self._source)
        told_at = _when(fields.get("date"), f"{at}.date") or self._date
        names = _each(fields.get("match"), f"{at}.match", _word)

        def read_rate(one: Any, place: str) -> Rate:
            return _rate(one, place, source, told_at)

        rates = _each(fields.get("rates"), f"{at}.rates", read_rate)
        if not names or not rates:
            raise _Mistake(f"{at}: needs names in match and rates")
        if len({(rate.tier, rate.above) for rate in rates}) < len(rates):
            raise _Mistake(f"{at}.rates: two are for the same tier and length")
        return PricedModel(names, rates)


def _rate(told: Any, at: str, source: str, told_at: str | None) -> Rate:
    fields = _object(told, at, "tier", "above", *_PRICES, "source", "date", "others")
    given = {name: fields[name] for name in _PRICES if name in fields}
    for name in _PRICES[:2]:
        if name not in given:
            raise _Mistake(f"{at}.{name}: is missing")
    prices = {name: _price(one, f"{at}.{name}") for name, one in given.items()}
    above = fields.get("above", Decimal(0))
    if not _is_whole(above) or not 0 <= above <= _MOST_TOKENS:
        raise _Mistake(f"{at}.above: is a whole number of input tokens")
    return Rate(
        tier_name(_word(fields.get("tier", ""), f"{at}.tier", _LONGEST_TIER, least=0)),
        int(above),
        TokenPrices.read(prices),
        _source(fields, at, source),
        _when(fields.get("date"), f"{at}.date") or told_at,
    )


def _source(fields: dict[str, Any], at: str, otherwise: str) -> str:
    told = fields.get("source")
    return otherwise if told is None else _word(told, f"{at}.source")


def _object(told: Any, at: str, *known: str) -> dict[str, Any]:
    """A JSON object; with none of other names, where some are known."""
    if not isinstance(told, dict):
        raise _Mistake(f"{at}: is an object")
    unknown = sorted(told.keys() - set(known)) if known else []
    if unknown:
        raise _Mistake(
            f"{at}: {unknown[0][:_SHOWN]!a} is no field; there are {', '.join(known)}"
        )
    return told


def _each(told: Any, at: str, read: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    if not isinstance(told, list):
        raise _Mistake(f"{at}: is a list")
    return tuple(read(one, f"{at}[{number}]") for number, one in enumerate(told))


def _price(told: Any, at: str) -> Decimal:
    if (
        not isinstance(told, Decimal)
        or not 0 <= told <= _HIGHEST
        or not _is_whole(told * SCALE)
    ):
        raise _Mistake(
            f"{at}: is a number of dollars per million tokens, 0 to {_HIGHEST}, with "
            "at most 6 decimal places"
        )
    return told


def _word(told: Any, at: str, longest: int = _LONGEST_NAME, least: int = 1) -> str:
    if not isinstance(told, str) or not least <= len(told) <= longest:
        raise _Mistake(f"{at}: is a text of {least} to {longest} characters")
    if not told.isprintable():
        raise _Mistake(f"{at}: has a character that cannot be printed")
    return told


def _when(told: Any, at: str) -> str | None:
    if told is None:
        return None
    try:
        return date.fromisoformat(told).isoformat()
    except (TypeError, ValueError):
        raise _Mistake(f"{at}: is a date as in 2027-01-31") from None


def _is_whole(number: Any) -> bool:
    return isinstance(number, Decimal) and number == number.to_integral_value()
