"""The number that every change raises, and the last that the gateway took over."""

from gateway.repository import options
from gateway.store.models import SettingRow

_REVISION = "revision"
_APPLIED = "applied_revision"


def raise_revision() -> None:
    """In the change's own transaction: whoever sees the number sees the change.

    The row is locked until then, so that numbers become visible in their order.
    """
    raised = (SettingRow.value.cast("BIGINT") + 1).cast("TEXT")
    SettingRow.insert(name=_REVISION, value="1").on_conflict(
        conflict_target=[SettingRow.name], update={SettingRow.value: raised}
    ).execute()


def current_revision() -> int:
    return int(options.read(_REVISION) or 0)


def applied_revision() -> int:
    return int(options.read(_APPLIED) or 0)


def note_applied(revision: int) -> None:
    options.write(_APPLIED, str(revision))
