"""The number that every change raises: members follow it, and tell how far they are."""

import peewee as pw

from gateway.repository import options
from gateway.store.models import SettingRow
from gateway.store.shared.calling import call_out
from gateway.store.shared.tables import MemberRow

_REVISION = "revision"
RAISED = "revision"  # what is called out
_MOST_DIGITS = 15


def raise_revision() -> None:
    """In the change's own transaction: whoever sees the number sees the change.

    The row is locked until then, so that numbers become visible in their order.
    """
    same = {SettingRow.value: SettingRow.value}
    SettingRow.insert(name=_REVISION, value="0").on_conflict(
        conflict_target=[SettingRow.name], update=same
    ).execute()
    # Above what was taken over, too, whatever stood there.
    taken_over = MemberRow.select(pw.fn.MAX(MemberRow.acknowledged)).scalar() or 0
    raised = 1 + max(current_revision(), taken_over)
    options.write(_REVISION, str(raised))
    call_out(RAISED)


def current_revision() -> int:
    """0 for what is none of ours: the next change mends it."""
    text = options.read(_REVISION) or ""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
