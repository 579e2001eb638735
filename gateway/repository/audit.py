"""Who changed what: one row for each change, in the same transaction."""

import getpass
import json
from typing import Any

from gateway.repository.revision import raise_revision
from gateway.store.models import AuditLog, now_ms

API = "api"
_LATEST = 100


def shell_actor() -> str:
    """The user of the command line, as audit rows name them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"


def was_recorded(actor: str, action: str, seconds: float) -> bool:
    """Whether it is among the latest rows, and no older than that."""
    latest = AuditLog.select().order_by(AuditLog.id.desc()).limit(_LATEST)
    since = now_ms() - seconds * 1000
    return any(
        (row.actor, row.action) == (actor, action) and row.at > since for row in latest
    )


def record(actor: str, action: str, target: str, **detail: Any) -> None:
    """And have a gateway elsewhere notice it; `detail` never holds a secret."""
    AuditLog.create(
        actor=actor[:80],
        action=action,
        target=target[:200],
        detail=json.dumps(detail, default=str),
    )
    raise_revision()
