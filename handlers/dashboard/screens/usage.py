"""/dashboard/usage: tokens and money by hour, day or week, and by whom."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any, ClassVar, NamedTuple

from gateway.admin import reports
from gateway.admin.entities import USAGE_QUERY
from gateway.admin.entity import Field, entity
from gateway.admin.errors import NotThere, Unacceptable
from gateway.admin.explained.exported import csv_cells, csv_line
from gateway.admin.views import account_names, key_names
from gateway.repository.audit import record
from gateway.settings.zones import zone_named
from gateway.sign_in.users import Role
from gateway.store.log.calendar import Unit
from gateway.store.log.queries import Record
from gateway.store.pages.page_reads import SHOWN_ROWS
from handlers.dashboard.base import PageHandler
from handlers.dashboard.formats import day_text
from handlers.dashboard.screens.record.lists import asked_for, with_query

MOST_SUMS = 20_000  # of a file


class Period(NamedTuple):
    """A stretch until now that makes at most 50 hours, days or weeks."""

    label: str
    unit: Unit
    days: int  # before today, or before this week's Monday


PERIODS: Mapping[str, Period] = {
    "hours": Period("48 hours", "hour", 1),
    "week": Period("This week", "day", 0),
    "month": Period("30 days", "day", 29),
    "weeks": Period("26 weeks", "week", 25 * 7),
}
_SECONDS: Mapping[Unit, int] = {"hour": 3600, "day": 86_400, "week": 604_800}
GROUPS: Mapping[str, str] = {"key": "Key", "model": "Model", "account": "Account"}
_FILTERS = ("key", "account", "model")
_NAMES = (*_FILTERS, "period", "by")
_QUERY = entity(
    "UsagePage",
    *(USAGE_QUERY[name] for name in _FILTERS),
    Field("period", choices=tuple(PERIODS)),
    Field("by", choices=tuple(GROUPS)),
)
_SUMMED = (
    *("requests", "errors", "interrupted", "unpriced", "input_tokens"),
    *("cached_tokens", "output_tokens", "reasoning_tokens", "cost_microdollars"),
)


class UsageScreen(PageHandler):
    """The sums by time as charts and a table, and by key, model or account."""

    least_role: ClassVar = {"get": Role.VIEWER}

    async def get(self) -> None:
        asked = {name: self.get_query_argument(name, "") for name in _NAMES}
        may = self.user is not None and self.user.role.includes(Role.OPERATOR)
        live = {"asked": asked, "may_export": may, "groups": GROUPS, "periods": PERIODS}
        try:
            await self.show("usage.html", self._read, asked_for(_QUERY, asked), **live)
        except (Unacceptable, NotThere) as problem:
            self.set_status(problem.status)
            self.problem = problem
            await self.show("usage.html", self._read, {}, **live)

    def _read(self, wanted: Record) -> Record:
        zone = self.gateway.settings.time_zone
        period, by = wanted.get("period", "week"), wanted.get("by", "key")
        unit, now = PERIODS[period].unit, time.time()
        by_time = usage_of(unit, period, wanted, zone, now)[-SHOWN_ROWS:]
        groups = usage_of(by, period, wanted, zone, now)
        path, filters = self.request.path, {n: wanted.get(n) for n in _FILTERS}
        chosen = {"period": period, "by": by, **filters}
        return {
            "by": by,
            "period": period,
            "unit": unit,
            "unit_seconds": _SECONDS[unit],
            "by_time": [_timed(row, unit, zone_named(zone)) for row in by_time],
            "total": {name: sum(row[name] for row in by_time) for name in _SUMMED},
            "rows": groups[:SHOWN_ROWS],
            "left_out": len(groups) - len(groups[:SHOWN_ROWS]),
            "keys": sorted(key_names().values())[:SHOWN_ROWS],
            "accounts": sorted(account_names().values())[:SHOWN_ROWS],
            "period_urls": {x: with_query(path, chosen, period=x) for x in PERIODS},
            "group_urls": {x: with_query(path, chosen, by=x) for x in GROUPS},
            "export_url": with_query(f"{path}/export", chosen),
        }


class UsageExport(PageHandler):
    """/dashboard/usage/export: the sums by time and group as CSV."""

    least_role: ClassVar = {"get": Role.OPERATOR}

    async def get(self) -> None:
        self.must_be_fresh()
        asked = {name: self.get_query_argument(name, "") for name in _NAMES}
        wanted, zone = asked_for(_QUERY, asked), self.gateway.settings.time_zone
        content = await self.gateway.store.page(_lines, wanted, zone, time.time())
        # Who took along what is asked later.
        noted = partial(record, self.actor, "usage.export", "csv", **wanted)
        await self.gateway.store.write(noted)
        name = f"usage-{day_text(time.time(), zone)}.csv"
        self.set_header("content-type", "text/csv; charset=utf-8")
        self.set_header("content-disposition", f'attachment; filename="{name}"')
        await self.finish(content)


def _lines(wanted: Record, zone: str, now: float) -> bytes:
    period, by = wanted.get("period", "week"), wanted.get("by", "key")
    unit = PERIODS[period].unit
    rows = usage_of(f"{unit},{by}", period, wanted, zone, now)
    if len(rows) > MOST_SUMS:
        told = f"these would be {len(rows):,} lines; choose a shorter period"
        raise Unacceptable(told, param="period")
    fields = (unit, by, *_SUMMED)
    return "".join([csv_cells(fields), *(csv_line(x, fields) for x in rows)]).encode()


def usage_of(by: str, period: str, wanted: Record, zone: str, now: float) -> list[Any]:
    """The sums of a period. Raises NotThere."""
    filters = {name: wanted.get(name) for name in _FILTERS}
    since = _since(PERIODS[period], zone_named(zone), now)
    return reports.sum_usage(by, {**filters, "since": since, "time_zone": zone}, now)


def _since(period: Period, zone: tzinfo, now: float) -> str:
    """A date, or of hours how many ago, as reports read it."""
    if period.unit == "hour":
        return f"{24 * (period.days + 1) - 1}h"
    today = datetime.fromtimestamp(now, zone).date()
    is_of_weeks = period.days % 7 == 0
    first = today - timedelta(days=today.weekday() if is_of_weeks else 0)
    return str(first - timedelta(days=period.days))


def _timed(row: Record, unit: Unit, zone: tzinfo) -> Record:
    """With `at`, when it began (unix seconds)."""
    label = row[unit]
    at = datetime.fromisoformat(f"{label}-1" if unit == "week" else label)
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return {**row, "at": at.timestamp(), "label": label.replace("T", " ")[:16]}
