"""The number that every change raises: members follow it, and tell how far they are."""

from typing import NamedTuple

import peewee as pw

from gateway.repository import options
from gateway.store.models import SettingRow
from gateway.store.shared.calling import call_out
from gateway.store.shared.tables import MemberRow

_REVISION = "revision"
_OF_MEMBERS = "revision.members"  # how often it was raised for these alone
RAISED = "revision"  # what is called out
_MOST_DIGITS = 15


class Revision(NamedTuple):
    """`content` is another one when there is more to load than who the members are."""

    number: int
    content: int


def raise_revision(*, is_of_members: bool = False) -> None:
    """In the change's own transaction: whoever sees the number sees the change.

    The row is locked until then, so that numbers become visible in their order.
    `is_of_members`: one has come or gone, and nothing else has changed.
    """
    same = {SettingRow.value: SettingRow.value}
    SettingRow.insert(name=_REVISION, value="0").on_conflict(
        conflict_target=[SettingRow.name], update=same
    ).execute()
    # Above what was taken over, too, whatever stood there.
    taken_over = MemberRow.select(pw.fn.MAX(MemberRow.acknowledged)).scalar() or 0
    raised = 1 + max(current_revision(), taken_over)
    options.write(_REVISION, str(raised))
    if is_of_members:
        options.write(_OF_MEMBERS, str(_number(_OF_MEMBERS) + 1))
    call_out(RAISED)


def current_revision() -> int:
    return _number(_REVISION)


def read_revision() -> Revision:
    """One statement: both numbers are of the same moment."""
    names = (_REVISION, _OF_MEMBERS)
    rows = SettingRow.select().where(SettingRow.name.in_(names))
    found = {row.name: _number_of(row.value) for row in rows}
    number = found.get(_REVISION, 0)
    return Revision(number, number - found.get(_OF_MEMBERS, 0))


def _number(name: str) -> int:
    return _number_of(options.read(name) or "")


def _number_of(text: str) -> int:
    """0 for what is none of ours: the next change mends it."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
