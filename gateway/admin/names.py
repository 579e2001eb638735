"""Accounts and keys by the names that an operator gives them."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

import peewee as pw

from gateway.admin.errors import AlreadyThere, NotThere, Unacceptable
from gateway.settings.suggestions import nearest
from gateway.store.models import AccountRow, ApiKeyRow, database

ACCOUNT_WORD, KEY_WORD = "account", "API key"
NamedRow = TypeVar("NamedRow", AccountRow, ApiKeyRow)
_KINDS = {AccountRow: ACCOUNT_WORD, ApiKeyRow: KEY_WORD}
_LONGEST = {AccountRow: 80, ApiKeyRow: 128}


class Named(Protocol):
    """An account or a key, in memory or as a row."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def find_named(things: Iterable[N], kind: str, name: str, *, exact: bool = False) -> N:
    """By name, number or a key's prefix; else, unless `exact`, the only one that has
    it in its name. Raises NotThere, which names those that may be meant.
    """
    held = list(things)
    for words in ("name", "id", "prefix"):
        for one in held:
            if str(getattr(one, words, "")) == name != "":
                return one
    part = name.casefold() if name == name.strip() else ""
    # A number that is nobody's is of one that was removed.
    like = [one for one in held if part in one.name.casefold()] if part else []
    if part.isdigit():
        like = []
    if len(like) == 1 and not exact:
        return like[0]
    meant = [one.name for one in like] or nearest(name, (one.name for one in held))
    raise NotThere(kind, name, meant)


def find_row(table: type[NamedRow], name: str, *, exact: bool = False) -> NamedRow:
    """As `find_named` finds it."""
    found = find_named(table.select(), _KINDS[table], name, exact=exact)
    row: NamedRow = found
    return row


def row_to_change(table: type[NamedRow], name: str, *, exact: bool = False) -> NamedRow:
    """The same, locked: who changes it next waits until this transaction ended.

    Of a row that was read before another's change, the old values would be saved.
    """
    row = find_row(table, name, exact=exact)
    if isinstance(database.obj, pw.SqliteDatabase):
        return row  # a transaction is the only one that writes, from its beginning
    query = table.select().where(table.id == row.id).for_update()
    locked: NamedRow | None = query.get_or_none()
    if locked is None:
        raise NotThere(_KINDS[table], name)
    return locked


def free_name(table: type[NamedRow], name: str) -> str:
    """The name, trimmed. Raises Unacceptable, or AlreadyThere when it is taken."""
    name, longest = name.strip(), _LONGEST[table]
    if not name or len(name) > longest or not name.isprintable():
        raise Unacceptable(
            f"a name has 1 to {longest} printable characters", param="name"
        )
    if table.get_or_none(table.name == name) is not None:
        raise AlreadyThere(
            f"There is an {_KINDS[table]} '{name}' already", param="name"
        )
    return name


def unlike_others(name: str) -> str:
    """An account's name that is free: one address may be in several workspaces."""
    longest = _LONGEST[AccountRow] - len("-999")
    name = "".join(c for c in name if c.isprintable()).strip()[:longest]
    taken = {row.name for row in AccountRow.select(AccountRow.name)}
    number = 2
    found = name = name or "account"
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found
