"""Accounts and keys by the names that an operator gives them."""

from typing import TypeVar

from gateway.admin.errors import AlreadyThere, NotThere, Unacceptable
from gateway.store.models import AccountRow, ApiKeyRow

NamedRow = TypeVar("NamedRow", AccountRow, ApiKeyRow)
_KINDS = {AccountRow: "account", ApiKeyRow: "API key"}
_LONGEST = {AccountRow: 80, ApiKeyRow: 128}


def find_row(table: type[NamedRow], name: str) -> NamedRow:
    """By name, number or a key's prefix. Raises NotThere."""
    row = table.get_or_none(table.name == name)
    if row is None and name.isascii() and name.isdigit() and len(name) < 10:
        row = table.get_or_none(table.id == int(name))
    if row is None and issubclass(table, ApiKeyRow):
        row = table.get_or_none(table.prefix == name)
    if row is None:
        raise NotThere(_KINDS[table], name)
    found: NamedRow = row
    return found


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
