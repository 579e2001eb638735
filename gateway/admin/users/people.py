"""People: users with a seat, to which Codex signs in on their devices."""

import time
from dataclasses import asdict
from typing import Any

from gateway.admin.entity import Changed
from gateway.admin.errors import AlreadyThere, NotThere, Unacceptable
from gateway.admin.keys import change_key, create_key
from gateway.admin.names import row_to_change
from gateway.admin.users.changes import MadeLink, disable_user, remove_user
from gateway.oauth.devices import EndReason, end_devices, load_devices
from gateway.oauth.seats import give_seat, seat_row
from gateway.repository import audit
from gateway.secret import Secret
from gateway.settings.suggestions import nearest
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.links import INVITE_SECONDS, make_link
from gateway.sign_in.users import Role, User, folded, load_users
from gateway.store.models import ApiKeyRow
from gateway.store.users.oauth_tables import DeviceRow
from gateway.store.users.tables import UserRow

_LONGEST_NUMBER = 9  # digits: what PostgreSQL has place for


def invite(
    name: str, rules: dict[str, Any], actor: str, key: str | None = None
) -> MadeLink | None:
    """Give a person a seat, and a link for the first password; None: there is one.

    Who is no user yet becomes a holder. The seat is a new key of the person's name
    with these rules, or the `key`, whose own token ends with it. Who has not come yet
    gets another link, where no rules and no key are given. Raises Unacceptable,
    AlreadyThere or NotThere for the key, InvalidPayload for the name.
    """
    user = _user_named(name) or add_user(name, Role.HOLDER).id
    row = UserRow.get_by_id(user)
    if row.is_disabled:
        raise Unacceptable(f"'{row.name}' is disabled: enable the user first")
    if seat_row(row.id) is None:
        give_seat(_seat(row.name, rules, actor, key), row, actor)
    elif row.password is not None or rules or key is not None:
        raise Unacceptable(f"'{row.name}' has a seat already", param="name")
    if row.password is not None:
        return None
    return invitation(row, actor)


def invitation(row: UserRow, actor: str) -> MadeLink:
    """Another link for one who has not come yet; an earlier one ends."""
    now = time.time()
    token = make_link(row.id, now, INVITE_SECONDS)
    audit.record(actor, "user.invite", row.name)
    return MadeLink(Secret(token), row.name, now + INVITE_SECONDS)


def disable_person(name: str, actor: str, *, disabled: bool) -> Changed:
    """Raises NotThere, as the next one; Unacceptable for the last owner."""
    return disable_user(_person(name), actor, disabled=disabled)


def remove_person(name: str, actor: str) -> Changed:
    """The seat goes with its person, and the user, too."""
    return remove_user(_person(name), actor)


def device_number(given: str) -> int:
    """As it was typed. Raises NotThere for what is none."""
    if not (given.isascii() and given.isdigit() and len(given) <= _LONGEST_NUMBER):
        raise NotThere("device", given[:20])
    return int(given)


def sign_out_device(device_id: int, actor: str, *, at_once: bool) -> Changed:
    """Raises NotThere; AlreadyThere when it has ended so before."""
    reason = EndReason.ENDED if at_once else EndReason.SIGNED_OUT
    ended = end_devices(DeviceRow.id == device_id, reason, actor, time.time())
    if not ended:
        row = DeviceRow.get_or_none(DeviceRow.id == device_id)
        if row is None:
            raise NotThere("device", str(device_id))
        is_soft = (row.ends_at or 0) > time.time() * 1000
        at_once_too = (
            ", until what it has runs out; it can be ended at once" if is_soft else ""
        )
        told = EndReason.SIGNED_OUT if is_soft else EndReason.ENDED
        raise AlreadyThere(f"'{row.name}' is {told.value} already{at_once_too}")
    return Changed(ended[0], {"state": "active"}, {"state": reason.value})


def stored_people() -> list[dict[str, Any]]:
    """All users with a seat; times in unix seconds."""
    now = time.time()
    seats = ApiKeyRow.select().where(ApiKeyRow.user_id.is_null(False))
    there = {seat.user_id: seat for seat in seats}
    held = [one.key_id for one in load_devices() if not one.is_over(now)]
    return [
        {
            "id": user.id,
            "person": user.name,
            "role": user.role.value,
            "state": person_state(user),
            "seat": there[user.id].name,
            "devices": held.count(there[user.id].id),
            "last_sign_in_at": user.signed_in_at,
        }
        for user in load_users()
        if user.id in there
    ]


def person_state(user: User) -> str:
    if user.disabled:
        return "disabled"
    return "invited" if user.password is None else "active"


def stored_person(name: str) -> dict[str, Any]:
    """The same of one, with the devices. Raises NotThere."""
    user_id = _person(name)
    row = next((one for one in stored_people() if one["id"] == user_id), None)
    if row is None:
        raise NotThere("seat of", name)
    return {**row, "signed_in": stored_devices(name)}


def stored_devices(person: str | None = None) -> list[dict[str, Any]]:
    """Of a person or of all; times in unix seconds. Raises NotThere."""
    of_user = None if person is None else _person(person)
    seats = {row.id: row for row in ApiKeyRow.select()}
    found = []
    for device in load_devices():
        seat, told = seats.get(device.key_id), asdict(device)
        del told["family"]
        if of_user is None or (seat is not None and seat.user_id == of_user):
            found.append({**told, "seat": seat.name if seat else f"#{device.key_id}"})
    return found


def _person(name: str) -> int:
    found = _user_named(name)
    if found is None:
        there = (row["person"] for row in stored_people())
        raise NotThere("person", name, nearest(name, there))
    return found


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
