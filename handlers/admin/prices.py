"""/api/prices: what counts, what is wrong with it, and counting again."""

import time
from datetime import UTC, datetime
from typing import ClassVar

from gateway.admin.costs.entities import (
    CHECK_QUERY,
    PRICE_FINDINGS,
    PRICE_LIST,
    PRICE_QUERY,
    RECOST,
    RECOSTED,
)
from gateway.admin.costs.price_report import check_prices, show_prices
from gateway.admin.costs.recost import recost_page
from gateway.admin.reports import DEFAULT_SPAN, parse_since
from gateway.pricing.price_list import UnusablePrices
from gateway.repository import audit
from handlers.admin.base import AdminHandler, Operation


class PricesHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("The prices that count", PRICE_LIST, query=PRICE_QUERY)
    }

    def get(self) -> None:
        self.answer(show_prices(self.gateway.prices, **self.query()))


class PriceReloadHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation("Read the owner's list again", PRICE_LIST)
    }

    async def post(self) -> None:
        await self.read_body()  # what is left of it would end the connection
        await self.gateway.reload()
        prices = self.gateway.prices
        if prices.problem is not None:
            raise UnusablePrices(prices.problem)
        self.answer(show_prices(prices))


class PriceCheckHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "Prices that are missing or old, of models that were seen",
            PRICE_FINDINGS,
            query=CHECK_QUERY,
        )
    }

    async def get(self) -> None:
        since = parse_since(self.query().get("since") or DEFAULT_SPAN, time.time())
        table, today = self.gateway.prices.table, datetime.now(UTC).date()
        found = await self.gateway.store.read(check_prices, table, since, today)
        self.answer({"findings": found})


class RecostHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "Count the costs of some logged requests again", RECOSTED, RECOST
        )
    }

    async def post(self) -> None:
        given = await self.fields()
        since = parse_since(given.get("since") or DEFAULT_SPAN, time.time())
        self.answer(
            await self.gateway.store.write(
                recost_page,
                self.gateway.prices.table,
                since,
                given["after"],
                audit.API,
                given["dry"],
            )
        )
