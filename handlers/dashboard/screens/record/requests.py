"""/dashboard/requests: the request log, and what was refused at the door."""

import time
from typing import ClassVar

from gateway.admin import reports
from gateway.admin.entities import LOG_QUERY, LOG_STATUSES, REFUSAL_QUERY
from gateway.admin.explained.remedies import WHOSE
from gateway.admin.views import account_names, key_names
from gateway.sign_in.users import Role
from gateway.store.log.queries import Record
from gateway.store.pages.page_reads import SHOWN_ROWS
from handlers.dashboard.screens.record.exporting import EXPORT_FILTERS, MOST_EXPORTED
from handlers.dashboard.screens.record.lists import (
    Fetch,
    ListPage,
    ListScreen,
    with_query,
)


class RequestsScreen(ListScreen):
    """The log, the newest first."""

    template = "requests.html"
    query = LOG_QUERY
    filters = EXPORT_FILTERS

    def fetch(self, wanted: Record) -> Fetch:
        chosen = reports.log_filter(wanted, time.time(), self.zone)
        return lambda before, after, most: reports.log_rows(
            chosen, before=before, after=after, limit=most
        )

    def read_more(self, wanted: Record, page: ListPage) -> Record:
        filters = {name: wanted[name] for name in self.filters if name in wanted}
        at_the_door = wanted.get("id") and not page.rows
        return {
            "keys": sorted(key_names().values())[:SHOWN_ROWS],
            "accounts": sorted(account_names().values())[:SHOWN_ROWS],
            "models": sorted({row["model"] for row in page.rows if row["model"]}),
            "statuses": LOG_STATUSES,
            "origins": WHOSE,
            "refused": reports.find_refused(wanted["id"]) if at_the_door else [],
            "most_exported": MOST_EXPORTED,
            "may_export": self.is_at_least(Role.OPERATOR),
            "export_urls": {
                kind: with_query("/dashboard/requests/export", filters, format=kind)
                for kind in ("csv", "jsonl")
            },
        }


class RefusedScreen(ListScreen):
    """What was turned away before its turn, of the last day."""

    template = "refused.html"
    query = REFUSAL_QUERY
    filters: ClassVar = ("key", "since")

    def fetch(self, wanted: Record) -> Fetch:
        filters = {name: wanted.get(name) for name in self.filters}
        filters["time_zone"] = self.gateway.settings.time_zone

        def rows(before: int | None, after: int | None, most: int) -> list[Record]:
            place = {"before": before, "after": after, "limit": most}
            return reports.refused_rows(filters | place, time.time())

        return rows
