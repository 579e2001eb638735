"""/dashboard/requests/export: the rows that a list shows, as a file."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, NamedTuple

from gateway.admin import reports
from gateway.admin.entities import LOG_QUERY
from gateway.admin.entity import Field, entity
from gateway.admin.errors import AlreadyThere
from gateway.admin.explained.exported import (
    EXPORTED_FIELDS,
    csv_cells,
    csv_line,
    json_line,
)
from gateway.repository.audit import record
from gateway.settings.zones import zone_named
from gateway.sign_in.users import Role
from gateway.store.log.queries import LogFilter, Record
from handlers.dashboard.base import PageHandler
from handlers.dashboard.formats import day_text
from handlers.dashboard.screens.record.lists import asked_for
from handlers.wire.response_end import break_off, has_begun

MOST_EXPORTED = 100_000  # rows of a file; `run.py export` has no such bound
_PIECE_ROWS = 250  # about 300 kB, and 20 ms of a page's thread
_ADDRESSES = frozenset({"client_address"})  # for an owner's eyes
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
EXPORT_FILTERS = tuple(
    field.name
    for field in LOG_QUERY.fields
    if field.name not in ("limit", "before", "after")
)
_QUERY = entity(
    "ExportQuery",
    *(LOG_QUERY[name] for name in EXPORT_FILTERS),
    Field("format", choices=tuple(_TYPES)),
)


class Piece(NamedTuple):
    """Lines of a file, how many they are, and where the next ones begin."""

    lines: bytes
    rows: int
    before: int | None  # None: these were the last


class RequestsExport(PageHandler):
    """All rows of the filters, up to a bound, in pieces that are read one by one."""

    least_role: ClassVar = {"get": Role.OPERATOR}
    _users: ClassVar[set[int]] = set()  # by number: one is being made for them

    async def get(self) -> None:
        self.must_be_fresh()
        names = (*EXPORT_FILTERS, "format")
        given = {name: self.get_query_argument(name, "") for name in names}
        wanted = asked_for(_QUERY, given)
        kind = wanted.pop("format", "csv")
        zone = zone_named(self.gateway.settings.time_zone)
        chosen = await self.gateway.store.page(
            reports.log_filter, wanted, time.time(), zone
        )
        read = partial(read_piece, chosen, kind, self.hidden_fields())
        with self._only_one():
            # Who took along what is asked later.
            noted = partial(record, self.actor, "log.export", kind, **wanted)
            await self.gateway.store.write(noted)
            await self._send_file(kind, read)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """A user's files are made one after the other, or nobody else gets a page."""
        assert self.user is not None
        whose = self.user.id
        if whose in self._users:
            raise AlreadyThere("Another file is being made for you: wait for its end")
        self._users.add(whose)
        try:
            yield
        finally:
            self._users.discard(whose)

    async def _send_file(self, kind: str, read: Callable[..., Piece]) -> None:
        left, piece = MOST_EXPORTED, await self._read(read, None, _PIECE_ROWS)
        self._begin(kind)
        while True:
            self.write(piece.lines)
            await self.flush()
            left -= piece.rows
            if piece.before is None or not left or self.request.method == "HEAD":
                return
            self.authenticate()  # a slow reader's session may have ended meanwhile
            piece = await self._read(read, piece.before, min(left, _PIECE_ROWS))

    async def _read(
        self, read: Callable[..., Piece], before: int | None, most: int
    ) -> Piece:
        begun = time.monotonic()
        piece = await self.gateway.store.page(read, before, most)
        # One thread of the interpreter runs at a time: half of it is for turns.
        await asyncio.sleep(time.monotonic() - begun)
        return piece

    def hidden_fields(self) -> Collection[str]:
        is_owner = self.user is not None and self.user.role.includes(Role.OWNER)
        return () if is_owner else _ADDRESSES

    def _begin(self, kind: str) -> None:
        day = day_text(time.time(), self.gateway.settings.time_zone)
        name = f"requests-{day}.{kind}"
        self.set_header("content-type", _TYPES[kind])
        self.set_header("content-disposition", f'attachment; filename="{name}"')

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Half a file is broken off, and not taken for a whole one."""
        if has_begun(self):
            break_off(self)
        else:
            super().send_error(status_code, **kwargs)


def read_piece(
    wanted: LogFilter,
    kind: str,
    hidden: Collection[str],
    before: int | None,
    most: int,
) -> Piece:
    """The next lines, the newest first; the first piece of a CSV has its titles."""
    rows = reports.log_rows(wanted, before=before, limit=most)
    fields = [name for name in EXPORTED_FIELDS if name not in hidden]
    if kind == "csv":
        lines = [csv_line(row, fields) for row in rows]
        if before is None:
            lines.insert(0, csv_cells(fields))
    else:
        lines = [json_line(_without(row, hidden)) + "\n" for row in rows]
    onward = rows[-1]["id"] if len(rows) == most else None
    return Piece("".join(lines).encode(), len(rows), onward)


def _without(row: Record, hidden: Collection[str]) -> Record:
    return {name: value for name, value in row.items() if name not in hidden}
