"""Logins saved together, and one encryption key for all that accounts hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.admin.accounts import Imported, save_login
from gateway.admin.entity import Field, entity
from gateway.admin.errors import Unacceptable
from gateway.repository import audit
from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.key_rotation import Rotated, rotate_key
from gateway.store.store import Store
from gateway.upstream.logins.auth_json import Login, document_of

LOGIN_IMPORT = entity(
    "Import",
    Field("auth", dict, required=True),
    Field("name", nullable=True, default=None, bounds=(1, 128)),
    Field(
        "source_file",
        nullable=True,
        default=None,
        bounds=(1, 4096),
        description="of the gateway's machine: read again before a refresh",
    ),
)
LOGIN_IMPORTS = entity(
    "Imports", Field("logins", LOGIN_IMPORT, many=True, required=True, most=100)
)
_KEPT_NEWER = "the stored tokens are newer and were kept"
IMPORTED = entity(
    "Imported",
    Field("name", required=True),
    Field("is_new", bool, required=True),
    Field("kept_newer", bool, description=_KEPT_NEWER),
)
ALL_IMPORTED = entity(
    "AllImported", Field("imported", IMPORTED, many=True, required=True)
)
ROTATED = entity(
    "Rotated",
    Field("resealed", int, required=True, description="accounts"),
    Field("unreadable", int, required=True, description="left as they were"),
)


@dataclass(frozen=True, slots=True)
class NewLogin:
    """A login to be saved. What others refresh is read from `source_file` first."""

    login: Login
    name: str | None = None
    source_file: str | None = None

    def document(self) -> dict[str, Any]:
        """As the admin API takes it."""
        return {
            "auth": document_of(self.login),
            "name": self.name,
            "source_file": self.source_file,
        }


def save_logins(
    logins: Iterable[NewLogin], secrets: SecretBox, actor: str
) -> list[Imported]:
    """Add the accounts of logins, or give known ones their new tokens."""
    return [
        save_login(
            one.login, secrets, actor, name=one.name, source_file=one.source_file
        )
        for one in logins
    ]


async def rotate_encryption_key(
    store: Store, secrets: SecretBox, actor: str
) -> Rotated:
    """A new key for all credentials. Raises Unacceptable, saying why there is none."""
    try:
        rotated = await rotate_key(store, secrets)
    except UnusableKey as error:
        raise Unacceptable(str(error)) from error
    note = partial(audit.record, accounts=rotated.resealed)
    await store.write(note, actor, "accounts.rotate_key", "")
    return rotated
