"""The request log and the sums over it, with names in place of numbers."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any

from gateway.admin.errors import NotThere, Unacceptable
from gateway.admin.names import NamedRow, find_row
from gateway.admin.views import account_names, device_names, key_names
from gateway.keys.texts.times import parse_moment
from gateway.settings.zones import zone_named
from gateway.store.log import calendar, queries
from gateway.store.log.queries import LogFilter, LogStatus, Record
from gateway.store.log.refusals import find_refusal, refusal_page
from gateway.store.log.usage_sums import GROUPINGS, Grouping, usage_report
from gateway.store.models import AccountRow, ApiKeyRow, AuditLog

DEFAULT_SPAN = "30d"
_REQUEST_ID = re.compile("[0-9a-fA-F]{1,32}", re.ASCII)
_NAMED_AT_ONCE = 1000  # rows; the names are read for each so many


def parse_since(
    text: str, now: float, zone: tzinfo = UTC, *, param: str = "since"
) -> int:
    """Unix ms of "30m", "2 weeks" ago, or of a date. Raises Unacceptable."""
    try:
        return int(parse_moment(text, now, ahead=False, zone=zone) * 1000)
    except ValueError as error:
        raise Unacceptable(f"{param} {error}", param=param) from error


def log_filter(wanted: dict[str, Any], now: float, zone: tzinfo = UTC) -> LogFilter:
    """The filter of `key`, `account` (names), `model`, `status`, `origin`, `since`,
    `until`, `conversation`, and `id`: a request id's beginning, or a response's id.

    Raises Unacceptable or NotThere.
    """
    since, until, id = (wanted.get(name) for name in ("since", "until", "id"))
    status: LogStatus | None = wanted.get("status")
    if id is not None and len(id) < queries.SHORTEST_PREFIX:
        told = f"id has at least {queries.SHORTEST_PREFIX} characters"
        raise Unacceptable(told, param="id")
    is_beginning = id is not None and _REQUEST_ID.fullmatch(id)
    return LogFilter(
        api_key_id=row_number(ApiKeyRow, wanted.get("key")),
        account_id=row_number(AccountRow, wanted.get("account")),
        model=wanted.get("model"),
        status=status,
        origin=wanted.get("origin"),
        since=None if since is None else parse_since(since, now, zone),
        until=until and parse_since(until, now, zone, param="until"),
        conversation=wanted.get("conversation"),
        request_id=id if is_beginning else None,
        response_id=None if is_beginning else id,
    )


def latest_rows(wanted: LogFilter, limit: int, upto: int) -> Iterator[Record]:
    """The newest rows with ids up to `upto`, the oldest first; in memory are a few."""
    rows = queries.newest_rows(wanted, limit, upto=upto)
    while page := list(islice(rows, _NAMED_AT_ONCE)):
        yield from named(page)


def log_rows(
    wanted: LogFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Record]:
    """A page, newest first: what comes before the row with that id, or after it."""
    return named(queries.log_page(wanted, before=before, after=after, limit=limit))


def find_exchange(name: str) -> Record:
    """The one row a request id, its beginning or a response id names.

    Raises NotThere, or Unacceptable when there are several.
    """
    found = find_exchanges(name)
    if len(found) > 1:
        ids = ", ".join(row["request_id"] for row in found[:5])
        raise Unacceptable(f"'{name}' may be any of {ids}")
    return found[0]


def find_exchanges(name: str) -> list[Record]:
    """The rows of the log, else the light ones, that a name may mean: ten at most.

    Raises NotThere.
    """
    found = named(queries.find_log(name)) or find_refused(name)
    if not found:
        raise NotThere("request", name)
    return found


def find_refused(prefix: str) -> list[Record]:
    """The light rows whose request ids begin so."""
    is_id = len(prefix) >= queries.SHORTEST_PREFIX and "\0" not in prefix
    return _refused(find_refusal(prefix)) if is_id else []


def refused_rows(wanted: dict[str, Any], now: float) -> list[Record]:
    """What was turned away at the door, the newest first: of a `key`, `since` then,
    up to `limit`, `before` or `after` the row with that id; dates are those of the
    `time_zone` (UTC). Raises as `log_filter`.
    """
    zone = time_zone(wanted.get("time_zone") or "UTC")
    chosen = log_filter({n: wanted.get(n) for n in ("key", "since")}, now, zone)
    return _refused(
        refusal_page(
            since=chosen.since,
            api_key_id=chosen.api_key_id,
            before=wanted.get("before"),
            after=wanted.get("after"),
            limit=wanted["limit"],
        )
    )


def _refused(rows: list[Record]) -> list[Record]:
    names = key_names()
    outcome = {"status": "refused"}
    return [
        row | outcome | {"key": shown_name(names, row["api_key_id"])} for row in rows
    ]


def audit_rows(wanted: dict[str, Any], now: float) -> list[Record]:
    """Who changed what, the newest first: of an `actor` (or a part of the name),
    `since` then, up to `limit`, `before` or `after` the row with that id; dates are
    those of the `time_zone` (UTC). Raises Unacceptable.
    """
    table, since = AuditLog, wanted.get("since")
    zone = time_zone(wanted.get("time_zone") or "UTC")
    rows = table.select().limit(wanted["limit"])
    if since is not None:
        rows = rows.where(table.at >= parse_since(since, now, zone))
    if wanted.get("actor"):
        rows = rows.where(table.actor.contains(wanted["actor"]))
    if wanted.get("before") is not None:
        rows = rows.where(table.id < wanted["before"])
    is_onward = wanted.get("after") is not None
    if is_onward:
        rows = rows.where(table.id > wanted["after"])
    found: Any = rows.order_by(table.id if is_onward else table.id.desc()).dicts()
    shown = [row | {"detail": _read(row["detail"], {})} for row in found]
    return shown[::-1] if is_onward else shown


def changes_of(kind: str, target: str, most: int) -> list[Record]:
    """What was done to it, the newest first; `kind` as actions begin: account, key."""
    table = AuditLog
    own = (table.target == target) & table.action.startswith(f"{kind}.")
    rows: Any = table.select().where(own).order_by(table.id.desc())
    return [
        row | {"detail": _read(row["detail"], {})} for row in rows.limit(most).dicts()
    ]


def latest_change(target: str, action: str) -> Record | None:
    """Who did this last, and when; None: nobody that is known."""
    table = AuditLog
    same = (table.target == target) & (table.action == action)
    rows: Any = table.select().where(same).order_by(table.id.desc()).limit(1).dicts()
    return next(iter(rows), None)


def named(rows: list[Record]) -> list[Record]:
    """`key`, `account` and `device` beside their numbers; JSON columns read."""
    if not rows:
        return []
    keys_by_id, accounts_by_id = key_names(), account_names()
    devices = device_names({row["device_id"] for row in rows if row["device_id"]})
    return [
        row
        | {
            "key": shown_name(keys_by_id, row["api_key_id"]),
            "account": shown_name(accounts_by_id, row["account_id"]),
            "device": shown_name(devices, row["device_id"]),
            "changes": _read(row["changes"], []),
            "receipt": _read(row["receipt"], {}),
        }
        for row in rows
    ]


def sum_usage(by: str, wanted: dict[str, Any], now: float) -> list[Record]:
    """Sums by one of GROUPINGS, or several with commas between, since `since` (30d).

    `wanted` may name a `key`, an `account`, a `model` and a `time_zone` (UTC). Raises
    as `log_filter`.
    """
    groups, zone = _groupings(by), time_zone(wanted.get("time_zone") or "UTC")
    rows = usage_report(
        groups,
        since=parse_since(wanted.get("since") or DEFAULT_SPAN, now, zone),
        api_key_id=row_number(ApiKeyRow, wanted.get("key")),
        account_id=row_number(AccountRow, wanted.get("account")),
        model=wanted.get("model"),
        zone=zone,
    )
    names = {"key": key_names(), "account": account_names()}
    return [_summed(row, groups, names, zone) for row in rows]


def _groupings(by: str) -> list[Grouping]:
    found = [one for one in GROUPINGS if one in by.split(",")]
    if sorted(found) != sorted(by.split(",")):
        told = f"by {by!r}: give of {', '.join(GROUPINGS)}, each once"
        raise Unacceptable(told, param="by")
    return sorted(found, key=by.split(",").index)


def time_zone(name: str) -> tzinfo:
    """Raises Unacceptable."""
    try:
        return zone_named(name)
    except ValueError as error:
        raise Unacceptable(f"time_zone: {error}", param="time_zone") from error


def count_rules(since: str | None, now: float) -> list[Record]:
    """How often each rule was met, by UTC day, since `since` (30d). Raises
    Unacceptable."""
    rows = queries.rule_report(parse_since(since or DEFAULT_SPAN, now))
    return [{"day": _day(row.pop("start")), **row} for row in rows]


def _day(start: int) -> str:
    return datetime.fromtimestamp(start / 1000, UTC).strftime("%Y-%m-%d")


def _summed(
    row: Record,
    by: list[Grouping],
    names: dict[str, dict[int, str]],
    zone: tzinfo,
) -> Record:
    labels: Record = {}
    for group in by:
        match group:
            case "hour" | "day" | "week":
                labels[group] = calendar.group_name(group, zone, row[group])
            case "model":
                labels[group] = row[group] or None
            case _:
                labels[group] = shown_name(names[group], row[group])
    cached, told = row["cached_tokens"], row["input_tokens"]
    ratio = round(cached / told, 4) if told else None
    return row | labels | {"cached_ratio": ratio}


def shown_name(names: dict[int, str], number: int | None) -> str | None:
    return names.get(number, f"#{number}") if number else None


def row_number(table: type[NamedRow], name: str | None) -> int | None:
    """Also of a row that was removed, as "#3"."""
    if name is None:
        return None
    if re.fullmatch(r"#[0-9]{1,9}", name, re.ASCII):
        return int(name[1:])
    return int(find_row(table, name).id)


def _read(text: str, default: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # cut to its column's length
        return default
