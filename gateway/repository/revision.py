"""The number that every change raises, and the last that the gateway took over."""

from gateway.repository import options
from gateway.store.models import SettingRow

_REVISION = "revision"
_APPLIED = "applied_revision"
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
    raised = 1 + max(current_revision(), applied_revision())
    options.write(_REVISION, str(raised))


def current_revision() -> int:
    return _number(_REVISION)


def applied_revision() -> int:
    return _number(_APPLIED)


def note_applied(revision: int) -> None:
    options.write(_APPLIED, str(revision))


def _number(name: str) -> int:
    """0 for what is none of ours: the next change mends it."""
    text = options.read(name) or ""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
