"""People: users with a seat, to which Codex signs in on their devices."""

import time
from typing import Any

from gateway.admin.errors import Unacceptable
from gateway.admin.keys import change_key, create_key
from gateway.admin.names import row_to_change
from gateway.admin.users.changes import MadeLink
from gateway.oauth.seats import give_seat, seat_row
from gateway.repository import audit
from gateway.secret import Secret
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.links import INVITE_SECONDS, make_link
from gateway.sign_in.users import Role, folded
from gateway.store.models import ApiKeyRow
from gateway.store.users.tables import UserRow


def invite(
    name: str, rules: dict[str, Any], actor: str, key: str | None = None
) -> MadeLink | None:
    """Give a person a seat, and a link for the first password; None: there is one.

    Who is no user yet becomes a holder. The seat is a new key of the person's name
    with these rules, or the `key`, whose own token ends with it. Raises Unacceptable,
    AlreadyThere or NotThere for the key, InvalidPayload for the name.
    """
    user = _user_named(name) or add_user(name, Role.HOLDER).id
    row = UserRow.get_by_id(user)
    if row.is_disabled:
        raise Unacceptable(f"'{row.name}' is disabled: enable the user first")
    if seat_row(row.id) is not None:
        raise Unacceptable(f"'{row.name}' has a seat already", param="name")
    give_seat(_seat(row.name, rules, actor, key), row, actor)
    if row.password is not None:
        return None
    return invitation(row, actor)


def invitation(row: UserRow, actor: str) -> MadeLink:
    """Another link for one who has not come yet; an earlier one ends."""
    now = time.time()
    token = make_link(row.id, now, INVITE_SECONDS)
    audit.record(actor, "user.invite", row.name)
    return MadeLink(Secret(token), row.name, now + INVITE_SECONDS)


def _user_named(name: str) -> int | None:
    rows = UserRow.select(UserRow.id, UserRow.name)
    return next((one.id for one in rows if folded(one.name) == folded(name)), None)


def _seat(name: str, rules: dict[str, Any], actor: str, key: str | None) -> ApiKeyRow:
    if key is None:
        create_key(name, rules, actor)
        return row_to_change(ApiKeyRow, name, exact=True)
    row = row_to_change(ApiKeyRow, key, exact=True)
    if row.user_id is not None:
        raise Unacceptable(f"'{row.name}' is a person's seat already", param="key")
    if rules:
        change_key(row.name, rules, actor)
        row = row_to_change(ApiKeyRow, row.name, exact=True)
    return row
