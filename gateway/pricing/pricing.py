"""Prices: what a turn costs, by an owner's own list first, then by the shipped one."""

import logging
import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

from gateway.pricing.price_list import PriceList, UnusablePrices, read_price_list
from gateway.pricing.rates import PricedModel, Quote, highest_rates, tier_name
from gateway.protocol.facts import Usage

logger = logging.getLogger("gateway.pricing")

# Pairs of model and tier that are kept looked up; upstream has far fewer.
_MOST_QUOTES = 1_000
# A client may send any text as a model or a tier; none longer has a price.
_LONGEST_NAME = 200


class PriceTable:
    """All prices that count at a time."""

    def __init__(self, own: PriceList) -> None:
        """`own`: an owner's, before the shipped ones."""
        self.own = own.models
        self.models = (*own.models, *shipped_models())
        self.accounts = own.accounts
        every = chain(self.models, *own.accounts.values())
        self._highest = highest_rates(rate for one in every for rate in one.rates)
        # An entry replaces all that is known of its models: the first match counts.
        self._finders = {None: _Finder(self.models)} | {
            name: _Finder((*models, *self.models))
            for name, models in own.accounts.items()
        }
        # A turn asks twice, and the list is long.
        self._quote = lru_cache(_MOST_QUOTES)(self._look_up)

    def quote(
        self, model: str | None, tier: str | None, account: str | None = None
    ) -> Quote:
        """What a model costs in a tier, at an account that has prices of its own.

        `tier` is the one upstream says it served, once it has.
        """
        if len(model or "") > _LONGEST_NAME or len(tier or "") > _LONGEST_NAME:
            model = tier = None
        known = account if account in self._finders else None
        return self._quote(model, tier_name(tier), known)

    def entry(self, model: str, account: str | None = None) -> PricedModel | None:
        """All that is known of a model."""
        known = account if account in self._finders else None
        return self._finders[known].find(model)

    def has_price(self, model: str | None, tier: str | None, usage: Usage) -> bool:
        """Whether the prices of all accounts, or those of some, have it."""
        quotes = (self.quote(model, tier, name) for name in self._finders)
        return any(quote.cost(usage) is not None for quote in quotes)

    def _look_up(self, model: str | None, tier: str, account: str | None) -> Quote:
        found = None if model is None else self._finders[account].find(model)
        highest = self._highest.get(tier) or self._highest[None]
        return Quote(() if found is None else found.by_length(tier), highest)


class _Finder:
    """Finds the first model whose globs match."""

    def __init__(self, models: Iterable[PricedModel]) -> None:
        self._models = tuple(models)
        # All globs as one: group n matches what the n-th entry does, and none before.
        self._pattern = re.compile(
            "|".join(f"({'|'.join(map(translate, one.match))})" for one in self._models)
        )

    def find(self, model: str) -> PricedModel | None:
        match = self._pattern.match(model)
        group = None if match is None else match.lastindex
        return None if group is None else self._models[group - 1]


class Prices:
    """The table that counts now; an owner's list may be read anew while turns run."""

    def __init__(self, file: Path | None = None) -> None:
        """Raises UnusablePrices."""
        self.file = file
        self.problem: str | None = None  # why the list before the last still counts
        self.table = PriceTable(read_own(file))

    def reload(self) -> None:
        """Read the owner's list again; one with a mistake changes nothing. Blocks."""
        try:
            self.table = PriceTable(read_own(self.file))
            self.problem = None
        except UnusablePrices as error:
            self.problem = str(error)
            logger.error("the prices before stay: %s", error)


@cache
def shipped_models() -> tuple[PricedModel, ...]:
    """The list shipped with the gateway; read once."""
    path = Path(__file__).with_name("prices.json")
    return read_price_list(path.read_bytes(), "shipped").models


def read_own(file: Path | None) -> PriceList:
    """An owner's list; an empty one without a file. Raises UnusablePrices."""
    if file is None:
        return PriceList((), {})
    try:
        if file.exists() and not file.is_file():
            raise UnusablePrices(f"{file}: is no file")  # a pipe may never end
        document = file.read_bytes()
    except OSError as error:
        raise UnusablePrices(f"{file}: {error.strerror}") from error
    return read_price_list(document, str(file))
