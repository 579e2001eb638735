"""/dashboard/requests/ID: one request, whatever became of it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import ClassVar
from urllib.parse import quote

from gateway.admin import reports
from gateway.admin.costs.breakdown import billed_tokens
from gateway.admin.errors import NotThere
from gateway.admin.explained import receipt
from gateway.admin.explained.remedies import WHOSE, find_remedy
from gateway.admin.live.turns import show_turn
from gateway.pricing.pricing import PriceTable
from gateway.sign_in.users import Role
from gateway.store.database import StoreUnavailable
from gateway.store.log.queries import SHORTEST_PREFIX, LogFilter, Record
from gateway.upstream.redaction import STRUCK
from handlers.dashboard.base import PageHandler
from handlers.dashboard.components import Stretch
from handlers.dashboard.screens.record.lists import with_query

_LOG = "/dashboard/requests"
# Where somebody acts on what is at fault, besides the account's and the key's page.
_PLACES = {
    "account": ("/dashboard/accounts", "Accounts"),
    "gateway": ("/dashboard/doctor", "What the doctor finds"),
    "network": ("/dashboard/doctor", "What the doctor finds"),
}
_OF_KEYS = frozenset({401, 403, 429})
# Why an account was chosen, where the receipt's word is one of the gateway's own.
_REASONS = {
    "turn_state": "it began this turn",
    "previous_response_id": "it holds the response that this one goes on from",
    "none is better": "others were even less likely to answer",
}


class RequestScreen(PageHandler):
    """The receipt of the request that an id or its beginning names."""

    least_role: ClassVar[Mapping[str, Role]] = {"get": Role.VIEWER}

    async def get(self, name: str) -> None:
        name = name.strip()
        try:
            found = await self._find(name)
        except NotThere:
            running = self._running(name)
            if not running:
                raise
            self.show_plain("request_running.html", turns=running)
            return
        if len(found) > 1:
            self.show_plain("request_choice.html", rows=found, asked=name)
            return
        table, user = self.gateway.prices.table, self.user
        seen = user is not None and user.role.includes(Role.OPERATOR)
        is_light = found[0]["status"] == "refused"
        await self.show(
            "request_refused.html" if is_light else "request.html",
            *((explain_refusal,) if is_light else (explain_request, table)),
            found[0],
            sees_addresses=seen,
        )

    async def _find(self, name: str) -> list[Record]:
        """Also what ended just now, whose row waits to be written."""
        page = self.gateway.store.page
        try:
            return await page(reports.find_exchanges, name)
        except NotThere:
            with suppress(StoreUnavailable):
                await self.gateway.store.flush()
            return await page(reports.find_exchanges, name)

    def _running(self, prefix: str) -> list[Record]:
        """The turns that have no row yet."""
        prefix = prefix.lower()
        return [
            show_turn(self.gateway, exchange)
            for exchange in self.gateway.turns.running
            if exchange.request.client.request_id.startswith(prefix)
            and len(prefix) >= SHORTEST_PREFIX
        ]


def explain_refusal(row: Record) -> Record:
    """What the page shows of a light row."""
    return {"row": row, "failure": failure_of(row)}


def explain_request(table: PriceTable, row: Record) -> Record:
    """What the page shows of a row of the log; off the loop."""
    reason = row["receipt"].get("reason")
    billed = billed_tokens(table, row)
    return {
        "row": row,
        "failure": failure_of(row),
        "model": receipt.model_facts(row),
        "phases": stretches(row),
        "attempts": receipt.attempts(row),
        "passed_over": receipt.accounts_passed_over(row),
        "reason": reason_words(reason),
        "billed": billed,
        "billed_now": round(sum(part.microdollars for part in billed)),
        "counted": receipt.counted_cost(row),
        "is_estimated": receipt.is_estimated(row),
        "neighbours": neighbours(row),
    }


def stretches(row: Record) -> list[Stretch]:
    """The phases on one scale, and the attempts where there were several."""
    ended = {"success": "good", "interrupted": "warn"}.get(row["status"], "bad")
    levels = {"account chosen": "wait", "end": ended}
    found = [
        Stretch(phase.name, phase.at - phase.took, phase.at, levels.get(phase.name, ""))
        for phase in receipt.phases(row)
    ]
    tried = receipt.attempts(row)
    begun = row["queue_ms"] or 0
    for attempt in tried if len(tried) > 1 else ():
        has_failed = attempt.phase is not None
        level = "bad" if has_failed else "good"
        found.append(Stretch(f"tried at {attempt.account}", begun, attempt.at, level))
        begun = attempt.at
    return sorted(found, key=lambda one: one.end_ms)


def failure_of(row: Record) -> Record | None:
    """Why it failed, whose fault that is, what to do and where; None: it did not."""
    remedy = find_remedy(row)
    if remedy is None:
        return None
    is_light = row["status"] == "refused"
    origin = "client" if is_light else row["error_origin"] or ""
    whose, _ = WHOSE.get(origin, ("", ""))
    return {
        "code": row["error_code"],
        "message": row["reason"] if is_light else row["error_message"],
        "facts": [] if is_light else receipt.error_facts(row),
        "whose": whose,
        "remedy": remedy,
        "places": where_to_act(row, origin),
    }


def where_to_act(row: Record, origin: str) -> list[tuple[str, str]]:
    """URLs and names of the pages where somebody can act."""
    key, account = row["key"], row.get("account")
    found = []
    if origin == "client" and row["http_status"] in _OF_KEYS:
        url = page_of_name("keys", key)
        found.append((url, f"The key {key}") if url else ("/dashboard/keys", "Keys"))
    if origin == "account" and account:
        found.append((page_of_name("accounts", account), f"The account {account}"))
    if origin in _PLACES:
        found.append(_PLACES[origin])
    return [(url, name) for url, name in found if url]


def outcome_of(row: Record) -> tuple[str, str]:
    """A word for how it ended, and the level of its badge."""
    if row["status"] == "success":
        return "ok", "good"
    if row["status"] == "interrupted" and row["error_code"] is None:
        return "interrupted", "warn"
    if row["error_code"] == STRUCK:  # upstream's own, which nobody knows
        return f"{row['error_origin'] or 'unknown'} error", "bad"
    return row["error_code"] or row["status"], "bad"


def request_url(request_id: str) -> str:
    return f"{_LOG}/{quote(request_id, safe='')}"


def conversation_url(conversation: str) -> str:
    return f"/dashboard/conversations/{quote(conversation, safe='')}"


def page_of_name(kind: str, name: str | None) -> str:
    """A key's or an account's page, "" for one that is no longer there."""
    is_there = name and not name.startswith("#")
    return f"/dashboard/{kind}/{quote(name or '', safe='')}" if is_there else ""


def reason_words(reason: str | None) -> str:
    """Why the account was chosen, for somebody who knows no receipts."""
    word, _, more = (reason or "").partition(" (")
    if not word or word in _REASONS:
        return _REASONS.get(word, "")
    if word in ("session", "thread", "cache"):
        if more:
            return "it stands in for the conversation's own, which cannot answer now"
        return "it has had this conversation before"
    return f"by the strategy {word}"


def neighbours(row: Record) -> list[Record]:
    """Of its conversation and its key: the list, the request before, the one after."""
    found = []
    for title, column, query in (
        ("This conversation", "conversation", {"conversation": row["conversation"]}),
        ("This key", "api_key_id", {"key": row["key"]}),
    ):
        if row[column] is None:
            continue
        same = LogFilter(**{column: row[column]})
        found.append(
            {
                "title": title,
                "url": with_query(_LOG, query),
                "earlier": _id(same, before=row["id"]),
                "later": _id(same, after=row["id"]),
            }
        )
    return found


def _id(same: LogFilter, **place: int) -> str | None:
    rows = reports.log_rows(same, limit=1, **place)
    return rows[0]["request_id"] if rows else None
