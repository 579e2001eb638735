"""What a row of the log costs at the prices that count now, and of what that is."""

from typing import NamedTuple

from gateway.pricing.pricing import PriceTable
from gateway.pricing.rates import SCALE, Quote
from gateway.protocol.facts import Usage
from gateway.store.log.costs import USAGE_COLUMNS
from gateway.store.log.queries import Record


class BilledTokens(NamedTuple):
    """Tokens of one kind."""

    kind: str
    tokens: int
    price: float  # dollars a million
    microdollars: float


def billed_tokens(table: PriceTable, row: Record) -> list[BilledTokens]:
    """Of a row with its account's name; none where there is no price."""
    usage = usage_of_row(row)
    prices = quote_of_row(table, row, row["account"]).prices(usage)
    parts = () if prices is None else prices.parts(usage)
    return [
        BilledTokens(kind, tokens, price / SCALE, tokens * price / SCALE)
        for kind, tokens, price in parts
        if tokens
    ]


def quote_of_row(table: PriceTable, row: Record, account: str | None) -> Quote:
    """As it would be looked up at the end of the turn."""
    tier = row["service_tier"] or row["requested_tier"]
    return table.quote(row["receipt"].get("served") or row["model"], tier, account)


def usage_of_row(row: Record) -> Usage:
    return Usage(*(row[name] for name in USAGE_COLUMNS))
