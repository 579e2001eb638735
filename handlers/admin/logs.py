"""/api/logs, /api/usage and /api/rules: the record, off the loop."""

import time
from typing import Any, ClassVar

from gateway.admin import reports
from gateway.admin.entities import (
    AUDIT_PAGE,
    AUDIT_QUERY,
    EXPLAINED,
    LOG_PAGE,
    LOG_QUERY,
    REFUSAL_PAGE,
    REFUSAL_QUERY,
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
        place = {name: wanted.pop(name) for name in ("limit", "before", "after")}

        def page() -> list[Record]:
            chosen = reports.log_filter(wanted, time.time())
            return reports.log_rows(chosen, **place)

        rows = await self.gateway.store.read(page)
        self.answer({"logs": rows, "next": next_page(rows, place)})


class RefusalsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "A page of what was refused at the door", REFUSAL_PAGE, query=REFUSAL_QUERY
        )
    }

    async def get(self) -> None:
        wanted = self.query()
        rows = await self.gateway.store.read(reports.refused_rows, wanted, time.time())
        self.answer({"refusals": rows, "next": next_page(rows, wanted)})


class AuditHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("A page of who changed what", AUDIT_PAGE, query=AUDIT_QUERY)
    }

    async def get(self) -> None:
        wanted = self.query()
        rows = await self.gateway.store.read(reports.audit_rows, wanted, time.time())
        self.answer({"changes": rows, "next": next_page(rows, wanted)})


def next_page(rows: list[Record], wanted: dict[str, Any]) -> int | None:
    """`before` of the next page; None when there is none."""
    return rows[-1]["id"] if len(rows) == wanted["limit"] else None


class LogHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "One request, by its id, the id's beginning or the response's id",
            EXPLAINED,
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
