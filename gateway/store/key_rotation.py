"""A new encryption key for all stored credentials, safe at every step."""

import asyncio
from typing import Any, NamedTuple

import peewee as pw

from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.models import AccountRow, SettingRow
from gateway.store.store import Store
from gateway.store.users.oauth_tables import REFRESH_KEY
from gateway.store.users.tables import UserRow


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
        if box.file is not None or len(box) < 2:
            await asyncio.to_thread(box.add_key)
        rotated = await store.write(_reencrypt_all, box)
        await asyncio.to_thread(box.drop_old_keys)
    return rotated


def _reencrypt_all(box: SecretBox) -> Rotated:
    _reencrypt(UserRow.totp_secret, box)  # who cannot be read needs a new link
    _reencrypt(SettingRow.value, box, SettingRow.name == REFRESH_KEY)
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
