"""A new encryption key for all stored credentials, safe at every step."""

import asyncio
from contextlib import suppress
from typing import Any, NamedTuple

import peewee as pw

from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.models import AccountRow, SettingRow
from gateway.store.store import Store
from gateway.store.users.oauth_tables import REFRESH_KEY
from gateway.store.users.tables import UserRow

# Settings that rest encrypted, of all members of the database.
ADMIN_TOKEN, _KEY_CHECK = "admin_token", "encryption_check"
SEALED_SETTINGS = (REFRESH_KEY, ADMIN_TOKEN, _KEY_CHECK)
_CHECKED = "codex-gateway"
_OTHER_KEY = (
    "None of the encryption keys is one of the database's: give one of those, in "
    "GATEWAY_ENCRYPTION_KEY or as encryption.key in the data directory; if all are "
    "lost, `accounts rotate-key` gives them up, and each account needs a new login"
)


class Rotated(NamedTuple):
    resealed: int  # accounts
    unreadable: int  # none of the keys opened them; left as they were


async def rotate_key(store: Store, box: SecretBox) -> Rotated:
    """Re-encrypt all accounts with a new key, then forget the old ones.

    The new key is on disk before a row uses it, and the old ones stay there until
    no row does: interrupted anywhere, all remains readable, and the next rotation
    tidies up. Keys from the environment are not made here: all is encrypted with
    the first of several. Raises UnusableKey, or StoreUnavailable.
    """
    with box.rotating():
        is_lost = len(box) == 1 and not await store.read(_is_right, box)
        if box.file is not None or (len(box) < 2 and not is_lost):
            await asyncio.to_thread(box.add_key)
        rotated = await store.write(_reencrypt_all, box)
        await asyncio.to_thread(box.drop_old_keys)
    return rotated


# In a transaction.


def check_key(box: SecretBox) -> None:
    """See that it is one of the database's; the first that serves from it is.

    Raises UnusableKey.
    """
    if not _is_right(box):
        raise UnusableKey(_OTHER_KEY)
    sealed = [row.credentials for row in AccountRow.select(AccountRow.credentials)]
    if not sealed or any(_opens(box, one) for one in sealed):
        # Of two members that begin at once, one's counts for both.
        row = SettingRow.insert(name=_KEY_CHECK, value=box.encrypt(_CHECKED))
        row.on_conflict_ignore().execute()
        if not _is_right(box):
            raise UnusableKey(_OTHER_KEY)


def _is_right(box: SecretBox) -> bool:
    """Whether it opens the check value, or there is none yet."""
    held = SettingRow.get_or_none(SettingRow.name == _KEY_CHECK)
    return held is None or _opens(box, held.value)


def _opens(box: SecretBox, sealed: str) -> bool:
    with suppress(UnusableKey):
        return bool(box.decrypt(sealed))
    return False


def _reencrypt_all(box: SecretBox) -> Rotated:
    if not _is_right(box):
        SettingRow.delete().where(SettingRow.name == _KEY_CHECK).execute()
        SettingRow.create(name=_KEY_CHECK, value=box.encrypt(_CHECKED))
    _reencrypt(UserRow.totp_secret, box)  # who cannot be read needs a new link
    _reencrypt(SettingRow.value, box, SettingRow.name.in_(SEALED_SETTINGS))
    return _reencrypt(AccountRow.credentials, box)


def _reencrypt(
    column: pw.Field, box: SecretBox, which: pw.Expression | None = None
) -> Rotated:
    resealed = unreadable = 0
    table, key = column.model, column.model._meta.primary_key
    found = column.is_null(False) if which is None else which
    kept: Any = table.select(key, column).where(found).tuples()
    for number, encrypted in list(kept):
        try:
            sealed = box.reencrypt(encrypted)
        except UnusableKey:
            unreadable += 1
            continue
        table.update({column: sealed}).where(key == number).execute()
        resealed += 1
    return Rotated(resealed, unreadable)
