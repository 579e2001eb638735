"""/dashboard/prices: what counts, what is wrong with it, and counting again."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from gateway.admin.costs.price_report import check_prices, show_prices
from gateway.admin.costs.recost import SUMMED, recost_page
from gateway.admin.errors import Unacceptable
from gateway.admin.reports import parse_since
from gateway.pricing.price_list import UnusablePrices
from gateway.pricing.pricing import PriceTable
from gateway.sign_in.users import Role
from gateway.store.log.queries import Record
from gateway.store.log.usage_sums import usage_report
from handlers.dashboard.base import PageHandler
from handlers.dashboard.forms import SentForm

_PATH = "/dashboard/prices"
_SPANS = ("1d", "7d", "30d")
_PAGE_ROWS = 20
_MOST_FINDINGS = 50
# What one form may take: the rest is a form of its own.
RECOST_SECONDS = 5.0
_COST_DAYS_MS = 30 * 86_400_000
_WORDS = {
    "missing": "no price",
    "recost": "counted without a price",
    "old": "old",
    "account": "unknown account",
}


class PricesScreen(PageHandler):
    """The list in use; its form has the owner's file read again."""

    least_role: ClassVar = {"get": Role.VIEWER, "post": Role.OPERATOR}

    async def get(self) -> None:
        prices, now = self.gateway.prices, time.time()
        model = self.get_query_argument("model", "").strip()[:200]
        span = self.get_query_argument("check", "")
        span = span if span in _SPANS else ""
        page = self.get_query_argument("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 5 else 1
        shown = show_prices(prices, model or None)
        rows = shown["prices"]
        first = (max(1, number) - 1) * _PAGE_ROWS
        await self.show(
            "rules/prices.html",
            read_findings,
            prices.table,
            span,
            now,
            file=shown["file"],
            file_problem=shown["problem"],
            rows=rows[first : first + _PAGE_ROWS],
            all_rows=len(rows),
            page=max(1, number),
            pages=-(-len(rows) // _PAGE_ROWS),
            model=model,
            span=span,
            spans=_SPANS,
            words=_WORDS,
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        """Raises UnusablePrices."""
        await self.gateway.reload()
        if self.gateway.prices.problem is not None:
            raise UnusablePrices(self.gateway.prices.problem)
        self.go(_PATH)


def read_findings(table: PriceTable, span: str, now: float) -> dict[str, Any]:
    """What was used without a price, by the sums; and of a span all that is wrong."""
    since = int(now * 1000) - _COST_DAYS_MS
    sums = usage_report(("model",), since=since)
    unpriced = [row for row in sums if row["unpriced"] and row["model"]]
    unpriced.sort(key=lambda row: -row["unpriced"])
    found = None
    if span:
        today = datetime.fromtimestamp(now, UTC).date()
        found = check_prices(table, parse_since(span, now), today)[:_MOST_FINDINGS]
    return {"unpriced": unpriced[:_MOST_FINDINGS], "findings": found}


@dataclass(slots=True)
class Recosting:
    """Sums by model of what was counted again, and where the next form goes on."""

    models: dict[str, Record] = field(default_factory=dict)
    after: int | None = None
    is_done: bool = False

    def add(self, page: Record) -> None:
        for row in page["models"]:
            total = self.models.setdefault(row["model"], dict.fromkeys(SUMMED, 0))
            for name in SUMMED:
                total[name] += row[name]
        self.after, self.is_done = page["next"], page["next"] is None

    @property
    def whole(self) -> Record:
        return {name: sum(row[name] for row in self.models.values()) for name in SUMMED}


class RecostScreen(PageHandler):
    """Logged requests counted with today's prices: first dry, then as it was seen."""

    least_role: ClassVar = {"get": Role.OWNER, "post": Role.OWNER}

    async def get(self) -> None:
        self.show_plain("rules/recost.html", spans=_SPANS, result=None)

    async def submit(self, form: SentForm, *path: str) -> None:
        since = _since(form)
        is_dry = form.get("change") != "yes"
        after = _whole_number(form.get("after", ""))
        result = await self._count(since, after, is_dry)
        self.show_plain(
            "rules/recost.html",
            spans=_SPANS,
            result=result,
            since=since,
            is_dry=is_dry,
        )

    async def _count(self, since: int, after: int | None, is_dry: bool) -> Recosting:
        """Page by page, so that nobody's rows wait long for the writer."""
        result = Recosting(after=after)
        deadline = time.monotonic() + RECOST_SECONDS
        while not result.is_done and time.monotonic() < deadline:
            table = self.gateway.prices.table
            wanted = (table, since, result.after, self.actor, is_dry)
            result.add(await self.gateway.store.write(recost_page, *wanted))
        return result


def _since(form: SentForm) -> int:
    """Unix ms, of a span or as the dry run had it. Raises Unacceptable."""
    given = _whole_number(form.get("since_ms", ""))
    if given is not None:
        return given
    return parse_since(form.get("since", "") or _SPANS[-1], time.time())


def _whole_number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Unacceptable("The form was changed on its way")
    return int(text)
