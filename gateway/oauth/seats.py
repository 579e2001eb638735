"""Seats: API keys that belong to a person. Nobody knows a token of theirs."""

import secrets

import peewee as pw

from gateway.admission.presented_token import DEVICE_TOKEN_START
from gateway.keys.key import digest
from gateway.repository import audit
from gateway.sign_in.sessions import end_key_sessions
from gateway.store.models import ApiKeyRow
from gateway.store.users.tables import UserRow

# What all access tokens of a seat begin with: a proxy may hash it.
PUBLIC_LENGTH = len(DEVICE_TOKEN_START) + 8


def new_public_part() -> str:
    return DEVICE_TOKEN_START + secrets.token_hex(4)


def public_part(access_token: str) -> str:
    """What names the seat, as the `prefix` of its key."""
    return access_token[:PUBLIC_LENGTH]


# In a transaction.


def give_seat(row: ApiKeyRow, user: UserRow, actor: str) -> None:
    """Make a key the person's seat; its token, and the one before, end with it."""
    row.user_id = user.id
    row.prefix = new_public_part()
    row.digest = digest(secrets.token_urlsafe(32))  # of what nobody has
    row.old_prefix = row.old_digest = row.old_expires_at = None
    row.save()
    end_key_sessions(row.id)
    audit.record(actor, "seat.give", user.name, key=row.name, prefix=row.prefix)


def lock_seat(found: pw.Expression) -> None:
    """Until this transaction has ended no device of the seat begins or is ended."""
    ApiKeyRow.update(user_id=ApiKeyRow.user_id).where(found).execute()


def seat_row(user_id: int) -> ApiKeyRow | None:
    row: ApiKeyRow | None = ApiKeyRow.get_or_none(ApiKeyRow.user_id == user_id)
    return row
