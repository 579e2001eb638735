"""Lists that are paged by their rows' ids, with their filters in the URL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, ClassVar
from urllib.parse import urlencode

from gateway.admin.entity import Entity
from gateway.admin.errors import NotThere, Unacceptable
from gateway.settings.zones import zone_named
from gateway.sign_in.users import Role
from gateway.store.log.queries import Record
from gateway.store.pages.page_reads import SHOWN_ROWS
from handlers.admin.base import load
from handlers.dashboard.base import PageHandler

PLACES = ("before", "after")

# Gets `before` or `after`, ids of rows or None, and how many rows there may be.
Fetch = Callable[[int | None, int | None, int], list[Record]]


@dataclass(frozen=True, slots=True)
class ListPage:
    """Rows, the newest first, and the places of the pages next to it."""

    rows: list[Record]
    newer: int | None = None  # `after` of the page before, None: this is the newest
    older: int | None = None  # `before` of the next page


def page_of(fetch: Fetch, wanted: Mapping[str, Any]) -> ListPage:
    """The page at the place that is wanted; rows that arrive meanwhile move nothing."""
    before, after = wanted.get("before"), wanted.get("after")
    if after is not None:
        rows = fetch(None, after, SHOWN_ROWS + 1)
        is_newest = len(rows) <= SHOWN_ROWS
        rows = rows if is_newest else rows[1:]
        if len(rows) == SHOWN_ROWS:
            newer = None if is_newest else rows[0]["id"]
            return ListPage(rows, newer, rows[-1]["id"])
        before = None  # so few: the newest page has them, and more
    rows = fetch(before, None, SHOWN_ROWS + 1)
    older = rows[SHOWN_ROWS - 1]["id"] if len(rows) > SHOWN_ROWS else None
    rows = rows[:SHOWN_ROWS]
    newer = rows[0]["id"] if before is not None and rows else None
    return ListPage(rows, newer, older)


def asked_for(query: Entity, given: Mapping[str, str]) -> Record:
    """The fields of a query that are not empty. Raises Unacceptable."""
    asked = {name: value for name, value in given.items() if value}
    loaded = load(query, asked)
    return {name: loaded[name] for name in asked}


def with_query(path: str, wanted: Mapping[str, Any], **changed: Any) -> str:
    """A page's URL with its filters; None takes one away."""
    query = {**wanted, **changed}
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


class ListScreen(PageHandler):
    """A list below a form of filters; one that means nothing is told above it."""

    least_role: ClassVar[Mapping[str, Role]] = {"get": Role.VIEWER}
    template: ClassVar[str]
    query: ClassVar[Entity]
    filters: ClassVar[tuple[str, ...]]

    async def get(self) -> None:
        asked = {name: self.get_query_argument(name, "") for name in self.filters}
        live = {"asked": asked, "is_filtered": any(asked.values()), **self.live()}
        try:
            await self.show(self.template, self._read, self.wanted(), **live)
        except (Unacceptable, NotThere) as problem:
            self.set_status(problem.status)
            self.problem = problem
            await self.show(self.template, self._read_nothing, **live)

    def wanted(self) -> Record:
        """Filters and place of the URL; an empty field of a form asks for nothing.

        Raises Unacceptable.
        """
        names = (*self.filters, *PLACES)
        given = {name: self.get_query_argument(name, "") for name in names}
        return asked_for(self.query, given)

    def live(self) -> Record:
        """What the page shows of memory."""
        return {"sees_addresses": self.is_at_least(Role.OPERATOR)}

    @property
    def zone(self) -> tzinfo:
        """Whose days and dates filters mean."""
        return zone_named(self.gateway.settings.time_zone)

    def is_at_least(self, role: Role) -> bool:
        """Whether who looks may what that role may."""
        return self.user is not None and self.user.role.includes(role)

    def fetch(self, wanted: Record) -> Fetch:
        """Where the rows come from. Raises Unacceptable or NotThere; off the loop."""
        raise NotImplementedError

    def read_more(self, wanted: Record, page: ListPage) -> Record:
        """What else the page shows; off the loop."""
        return {}

    def _read(self, wanted: Record) -> Record:
        page, path = page_of(self.fetch(wanted), wanted), self.request.path
        filters = {name: value for name, value in wanted.items() if name not in PLACES}
        return {
            "rows": page.rows,
            "list_url": with_query(path, filters),
            "newer_url": page.newer and with_query(path, filters, after=page.newer),
            "older_url": page.older and with_query(path, filters, before=page.older),
            **self.read_more(wanted, page),
        }

    def _read_nothing(self) -> Record:
        empty: Record = {"rows": [], "newer_url": None, "older_url": None}
        return empty | {
            "list_url": self.request.path,
            **self.read_more({}, ListPage([])),
        }
