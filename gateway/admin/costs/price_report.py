"""Which prices count, from where and as of when; what is old or missing."""

from collections.abc import Container, Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from gateway.admin.views import account_names
from gateway.pricing.pricing import Prices, PriceTable
from gateway.pricing.rates import SCALE, PricedModel, Rate
from gateway.protocol.facts import Usage
from gateway.store.log.costs import models_seen
from gateway.store.log.queries import Record

OLD_DAYS = 60
_KINDS = ("input", "cached", "cache_write", "output")


def show_prices(
    prices: Prices, model: str | None = None, account: str | None = None
) -> Record:
    """The rates that count, of one model or account alone; and the owner's file."""
    rows = _price_rows(prices.table, model, account)
    file = None if prices.file is None else str(prices.file)
    return {"file": file, "problem": prices.problem, "prices": rows}


def _price_rows(
    table: PriceTable, model: str | None, account: str | None
) -> list[Record]:
    """One for each rate, an account's own first; of one model only what counts."""
    if model is not None:
        found = table.entry(model, account)
        return [] if found is None else _rows([found], _owner(table, found))
    own = [
        row
        for name, entries in table.accounts.items()
        if account in (None, name)
        for row in _rows(entries, name)
    ]
    return own + _rows(table.models, None)


def _owner(table: PriceTable, wanted: PricedModel) -> str | None:
    """The account that an entry is of."""
    of_accounts = table.accounts.items()
    return next((name for name, all_ in of_accounts if wanted in all_), None)


def _rows(entries: Iterable[PricedModel], account: str | None) -> list[Record]:
    return [
        {
            "models": list(entry.match),
            "account": account,
            "tier": rate.tier,
            "above": rate.above,
            **{kind: _dollars(rate, kind) for kind in _KINDS},
            "source": rate.source,
            "date": rate.date,
        }
        for entry in entries
        for rate in entry.rates
    ]


def _dollars(rate: Rate, kind: str) -> float | None:
    price = getattr(rate.prices, kind)
    return None if price is None else price / SCALE


def check_prices(table: PriceTable, since: int, today: date) -> list[Record]:
    """What is wrong with the prices of models that the log has seen since then.

    Also with an owner's own list, seen or not. Reads the log: run it off the loop.
    """
    names = account_names()
    seen = [
        {**row, "account": names.get(row.pop("account_id") or 0)}
        for row in models_seen(since)
    ]
    return [
        *_missing(table, seen),
        *_old(table, seen, (today - timedelta(days=OLD_DAYS)).isoformat()),
        *_strange(table, set(names.values())),
    ]


def _missing(table: PriceTable, seen: list[Record]) -> Iterator[Record]:
    for row in seen:
        quote = table.quote(row["model"], row["tier"], row["account"])
        lengths = (row["shortest"], row["longest"])
        if any(quote.cost(Usage(tokens)) is None for tokens in lengths):
            why = "no price" if not quote.by_length else "no price for tier or length"
            yield _finding("missing", row, f"{row['unpriced']} unpriced: {why}")
        elif row["unpriced"]:
            yield _finding("recost", row, f"{row['unpriced']} logged without a price")


def _old(table: PriceTable, seen: list[Record], limit: str) -> Iterator[Record]:
    """Rates that were used, or are an owner's, and are not known to be of today."""
    used = {
        (row["account"], entry.match): (row, entry)
        for row in seen
        if row["model"] and (entry := table.entry(row["model"], row["account"]))
    }
    entries = list(used.values())
    entries += [
        ({"model": entry.match[0], "account": account}, entry)
        for account, own in ((None, table.own), *table.accounts.items())
        for entry in own
        if (account, entry.match) not in used
    ]
    for row, entry in entries:
        dates = [rate.date or "" for rate in entry.rates]
        if min(dates) >= limit:
            continue
        sources = ", ".join(dict.fromkeys(rate.source for rate in entry.rates))
        told = f"as of {min(dates)}" if min(dates) else "no date"
        where = {"model": row["model"], "account": row["account"]}
        yield _finding("old", where, f"{told} ({sources})")


def _strange(table: PriceTable, names: Container[str]) -> Iterator[Record]:
    for account in table.accounts:
        if account not in names:
            yield _finding("account", {"account": account}, "there is no such account")


def _finding(problem: str, row: dict[str, Any], told: str) -> Record:
    facts = {name: row.get(name) for name in ("model", "tier", "account", "requests")}
    return {"problem": problem, **facts, "told": told}
