"""/api/logs, /api/usage and /api/rules: the record, off the loop."""

import time
from typing import ClassVar

from gateway.admin import reports
from gateway.admin.entities import (
    LOG_PAGE,
    LOG_QUERY,
    LOG_ROW,
    RULE_COUNTS,
    RULE_COUNTS_QUERY,
    USAGE,
    USAGE_QUERY,
)
from gateway.store.log.queries import Record
from handlers.admin.base import AdminHandler, Operation


class LogsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("A page of the request log", LOG_PAGE, query=LOG_QUERY)
    }

    async def get(self) -> None:
        wanted = self.query()
        limit, before = wanted.pop("limit"), wanted.pop("before")

        def page() -> list[Record]:
            chosen = reports.log_filter(wanted, time.time())
            return reports.log_rows(chosen, before=before, limit=limit)

        rows = await self.gateway.store.read(page)
        last = rows[-1]["id"] if len(rows) == limit else None
        self.answer({"logs": rows, "next": last})


class LogHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "One request, by its id, the id's beginning or the response's id",
            LOG_ROW,
        )
    }

    async def get(self, name: str) -> None:
        self.answer(await self.gateway.store.read(reports.find_exchange, name))


class UsageReportHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("Requests, tokens and cost, summed", USAGE, query=USAGE_QUERY)
    }

    async def get(self) -> None:
        wanted = self.query()
        by, now = ",".join(self.get_query_arguments("by")) or "key", time.time()
        wanted.pop("by")
        rows = await self.gateway.store.read(reports.sum_usage, by, wanted, now)
        self.answer({"usage": rows})


class RuleCountsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "How often requests were changed or refused, and how, by day",
            RULE_COUNTS,
            query=RULE_COUNTS_QUERY,
        )
    }

    async def get(self) -> None:
        since = self.query().get("since")
        rows = await self.gateway.store.read(reports.count_rules, since, time.time())
        self.answer({"rules": rows})
