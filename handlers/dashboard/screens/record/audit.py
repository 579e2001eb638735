"""/dashboard/audit: who changed what, and what it was before."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, NamedTuple

from gateway.admin import reports
from gateway.admin.entities import AUDIT_QUERY
from gateway.sign_in.users import Role
from gateway.store.log.queries import Record
from handlers.dashboard.formats import time_text
from handlers.dashboard.screens.record.lists import Fetch, ListPage, ListScreen

_NOTHING = "none"
_ADDRESSES = ("address",)  # where somebody signed in from


class ChangedField(NamedTuple):
    """One field of a change; without `before` it is a fact that was noted with it."""

    name: str
    before: str | None
    after: str


class AuditScreen(ListScreen):
    """The audit, the newest change first."""

    template = "audit.html"
    query = AUDIT_QUERY
    filters: ClassVar = ("actor", "since")

    def fetch(self, wanted: Record) -> Fetch:
        filters = {name: wanted.get(name) for name in self.filters}
        filters["time_zone"] = self.gateway.settings.time_zone

        def rows(before: int | None, after: int | None, most: int) -> list[Record]:
            place = {"before": before, "after": after, "limit": most}
            return reports.audit_rows(filters | place, time.time())

        return rows

    def read_more(self, wanted: Record, page: ListPage) -> Record:
        hidden = () if self.is_at_least(Role.OPERATOR) else _ADDRESSES
        told = partial(changed_fields, zone=self.gateway.settings.time_zone)
        return {
            "changes": {
                row["id"]: [
                    one for one in told(row["detail"]) if one.name not in hidden
                ]
                for row in page.rows
            }
        }


def changed_fields(detail: Any, zone: str) -> Iterator[ChangedField]:
    """What an audit row tells, one field after the other."""
    if not isinstance(detail, dict):
        return
    before, after = detail.get("before"), detail.get("after")
    if isinstance(before, dict) and "after" not in detail:  # how it was, and is no more
        for name, value in before.items():
            yield ChangedField(_words(name), None, f"was {_value(name, value, zone)}")
    elif isinstance(before, dict) or isinstance(after, dict):
        old, new = _fields(before), _fields(after)
        for name in {**old, **new}:
            told = _value(name, old.get(name), zone), _value(name, new.get(name), zone)
            yield ChangedField(_words(name), *told)
    elif "before" in detail or "after" in detail:
        yield ChangedField("", _value("", before, zone), _value("", after, zone))
    for name, value in detail.items():
        if name not in ("before", "after") and value is not None:
            yield ChangedField(_words(name), None, _value(name, value, zone))


def _fields(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(name: str, value: Any, zone: str) -> str:
    if value is None or value in ("", [], {}):
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        inner = (f"{_words(one)} {_value(one, v, zone)}" for one, v in value.items())
        return ", ".join(inner)
    if isinstance(value, list):
        return ", ".join(_value("", one, zone) for one in value)
    if isinstance(value, int | float) and name.endswith("_at"):
        return time_text(value, zone)
    return str(value)
