"""The owners' changes to users, each audited; the last owner stays."""

import time
from dataclasses import dataclass
from typing import Any

from gateway.admin.entity import Changed, Entity, Field, entity
from gateway.admin.errors import NotThere, Unacceptable
from gateway.admin.keys import remove_key
from gateway.oauth.devices import end_seat_devices
from gateway.oauth.seats import seat_row
from gateway.repository import audit
from gateway.secret import Secret
from gateway.settings import PROGRAM
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.links import LINK_SECONDS, NOBODY, is_set_up, make_link
from gateway.sign_in.sessions import end_sessions
from gateway.sign_in.users import Role, User, folded, load_users, user_of
from gateway.store.users.tables import LinkRow, UserRow

LINK_WANTED = entity(
    "LinkWanted", Field("user", nullable=True, default=None, bounds=(1, 80))
)
MADE_LINK: Entity = entity(
    "MadeLink",
    Field("token", required=True, description="behind /dashboard/link#"),
    Field("user", nullable=True, description="none: it makes the first one"),
    Field("expires_at", float),
    Field("public_url", description="empty where none is set"),
)


@dataclass(frozen=True, slots=True)
class MadeLink:
    """Shown this once; `user` is None for the first user's."""

    token: Secret
    user: str | None
    expires_at: float
    public_url: str = ""  # of the gateway that made it

    def shown(self, public_url: str) -> dict[str, Any]:
        told = {"token": self.token.reveal(), "public_url": public_url}
        return MADE_LINK.shown(self, **told)


def link_for(user: str | None, actor: str) -> MadeLink:
    """A link for a user's new password, or for the first user where there is none.

    Raises NotThere, Unacceptable.
    """
    if user is None:
        if is_set_up():
            raise Unacceptable(
                "The dashboard is set up already: "
                f"`{PROGRAM} dashboard link --user NAME` makes a link for a user",
                param="user",
            )
        return _made(NOBODY, None, actor)
    found = next(
        (one for one in load_users() if folded(one.name) == folded(user)), None
    )
    if found is None:
        raise NotThere("user", user)
    return link_for_user(found.id, actor)


def link_for_user(user_id: int, actor: str) -> MadeLink:
    """The same, by number."""
    user = _row(user_id)
    if user.is_disabled:
        raise Unacceptable(f"'{user.name}' is disabled: enable the user first")
    return _made(user.id, user.name, actor)


def _made(user_id: int, name: str | None, actor: str) -> MadeLink:
    now = time.time()
    token = make_link(user_id, now)
    audit.record(actor, "user.link", name or "the first user")
    return MadeLink(Secret(token), name, now + LINK_SECONDS)


def create_user(name: str, role: Role, actor: str) -> MadeLink:
    """A user without a password, and the link to give one. Raises InvalidPayload."""
    made = add_user(name, role)
    audit.record(actor, "user.create", made.name, role=role.value)
    return _made(made.id, made.name, actor)


def change_role(user_id: int, role: Role, actor: str, session: int = 0) -> Changed:
    """The user's sessions end, but for the one in which this is done."""
    row = _row(user_id)
    before = user_of(row)
    if role is not Role.OWNER:
        _check_not_last(before)
    UserRow.update(role=role.value).where(UserRow.id == user_id).execute()
    end_sessions(user_id, keep=session)
    return _changed("user.role", before, actor)


def disable_user(user_id: int, actor: str, *, disabled: bool) -> Changed:
    before = user_of(_row(user_id))
    if disabled:
        _check_not_last(before)
        end_sessions(user_id)
        _end_devices(user_id, actor)
    UserRow.update(is_disabled=disabled).where(UserRow.id == user_id).execute()
    return _changed("user.disable" if disabled else "user.enable", before, actor)


def remove_user(user_id: int, actor: str) -> Changed:
    """What the user did stays in the audit; a seat goes with its person."""
    before = user_of(_row(user_id))
    _check_not_last(before)
    end_sessions(user_id)
    seat = seat_row(user_id)
    if seat is not None:
        remove_key(seat.name, actor)
    for table, column in ((LinkRow, LinkRow.user_id), (UserRow, UserRow.id)):
        table.delete().where(column == user_id).execute()
    audit.record(actor, "user.remove", before.name, role=before.role.value)
    return Changed(before.name, {"state": "there"}, {"state": "removed"})


def _end_devices(user_id: int, actor: str) -> None:
    seat = seat_row(user_id)
    if seat is not None:
        end_seat_devices(seat.id, actor, time.time())


def _row(user_id: int) -> UserRow:
    row: UserRow | None = UserRow.get_or_none(UserRow.id == user_id)
    if row is None:
        raise NotThere("user", f"#{user_id}")
    return row


def _check_not_last(user: User) -> None:
    """Somebody who can come in has to be left who may do everything."""
    # Both of two owners could otherwise be taken away by two processes at once.
    UserRow.update(role=UserRow.role).where(UserRow.role == Role.OWNER.value).execute()
    others = [
        one
        for one in load_users()
        if one.role is Role.OWNER and one.password and not one.disabled
        if one.id != user.id
    ]
    if user.role is Role.OWNER and not others:
        raise Unacceptable(
            f"'{user.name}' is the last owner who can sign in: make another one first",
            param="role",
        )


def _changed(action: str, before: User, actor: str) -> Changed:
    after = user_of(_row(before.id))
    changed = Changed.between(before.name, _shown(before), _shown(after))
    told = {"before": changed.before, "after": changed.after}
    audit.record(actor, action, before.name, **told)
    return changed


def _shown(user: User) -> dict[str, Any]:
    return {"role": user.role.value, "state": "disabled" if user.disabled else "active"}
