"""/dashboard/conversations: what each used, where, and what moving it cost."""

import re
import time
from typing import Any, ClassVar

from gateway.admin import reports
from gateway.admin.entities import LOG_QUERY
from gateway.admin.entity import Field, entity
from gateway.admin.errors import NotThere, Unacceptable
from gateway.admin.traffic.lately import (
    conversation_rows,
    locality_lately,
    one_conversation,
)
from gateway.admin.views import key_names
from gateway.sign_in.users import Role
from gateway.store.log.queries import LogFilter, Record
from gateway.store.pages.page_reads import SHOWN_ROWS
from handlers.dashboard.base import PageHandler
from handlers.dashboard.screens.record.lists import asked_for, with_query

_FILTERS = ("key", "moved")
_QUERY = entity(
    "ConversationQuery",
    LOG_QUERY["key"],
    Field("moved", choices=("yes",)),
    Field("before", bounds=(1, 40)),
)
_PLACE = re.compile(r"([0-9]{1,15})-([0-9]{1,18})", re.ASCII)


class ConversationsScreen(PageHandler):
    """The list, the latest first; with `moved=yes` those that changed accounts."""

    least_role: ClassVar = {"get": Role.VIEWER}

    async def get(self) -> None:
        names = (*_FILTERS, "before")
        asked = {name: self.get_query_argument(name, "") for name in names}
        live = {"asked": asked, "short_name": short_name}
        try:
            wanted = asked_for(_QUERY, asked)
            await self.show("conversations.html", self._read, wanted, **live)
        except (Unacceptable, NotThere) as problem:
            self.set_status(problem.status)
            self.problem = problem
            await self.show("conversations.html", self._read_nothing, **live)

    def _read(self, wanted: Record) -> Record:
        place = _place(wanted.pop("before", None))
        found = conversation_rows(wanted, before=place, limit=SHOWN_ROWS + 1)
        rows, path = found[:SHOWN_ROWS], self.request.path
        is_last = len(found) <= SHOWN_ROWS
        last = None if is_last else "{}-{}".format(*rows[-1]["place"])
        return {
            **self._read_nothing(),
            "rows": rows,
            "list_url": with_query(path, wanted),
            "newest_url": place and with_query(path, wanted),
            "older_url": last and with_query(path, wanted, before=last),
        }

    def _read_nothing(self) -> Record:
        hour, day_before, alarm = locality_lately(time.time())
        return {
            "hour": hour,
            "day_before": day_before,
            "alarm": alarm,
            "rows": [],
            "keys": sorted(key_names().values())[:SHOWN_ROWS],
            "list_url": self.request.path,
            "newest_url": None,
            "older_url": None,
        }


def _place(told: str | None) -> tuple[int, int] | None:
    if told is None:
        return None
    match = _PLACE.fullmatch(told)
    if match is None:
        raise Unacceptable("before is no place in this list", param="before")
    return int(match[1]), int(match[2])


class ConversationScreen(PageHandler):
    """/dashboard/conversations/NAME: one, with its latest turns."""

    least_role: ClassVar = {"get": Role.VIEWER}

    async def get(self, name: str) -> None:
        live = {"short_name": short_name, "all_turns": _turns_url(name)}
        await self.show("conversation.html", _read_one, name, **live)


def _read_one(name: str) -> dict[str, Any]:
    told = one_conversation(name)
    turns = reports.log_rows(LogFilter(conversation=name), limit=SHOWN_ROWS)
    return {"told": told, "turns": turns}


def _turns_url(name: str) -> str:
    return with_query("/dashboard/requests", {"conversation": name})


def short_name(name: str) -> str:
    """What it is known by, and enough of that: `session 3fa9c01b`."""
    _, _, words = name.partition(":")
    kind, _, digest = words.partition(":")
    return f"{kind} {digest[:8]}" if digest else name[:16]
