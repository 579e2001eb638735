"""What users change about themselves: each a transaction on the writer's thread."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import InvalidPayload
from gateway.repository import audit
from gateway.repository.row_ids import fresh_id
from gateway.secret import Secret
from gateway.sign_in import links
from gateway.sign_in.sessions import (
    BrowserFacts,
    begin_session,
    end_session,
    end_sessions,
)
from gateway.sign_in.totp import AlreadyOn, recovery_digest, step_of
from gateway.sign_in.users import Role, User, folded, user_of
from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.users.tables import SessionRow, UserRow

LONGEST_USER_NAME = 80
_NO_TOTP = {"totp_secret": None, "totp_step": 0, "recovery_codes": "[]"}


def add_user(name: str, role: Role, password: str | None = None) -> User:
    """Raises InvalidPayload for a name that is none, or another's."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_USER_NAME or not name.isprintable():
        told = f"a name has 1 to {LONGEST_USER_NAME} printable characters"
        raise InvalidPayload.because(told, param="name")
    taken = {folded(row.name) for row in UserRow.select(UserRow.name)}
    if folded(name) in taken:
        raise InvalidPayload.because(f"there is a user '{name}' already", param="name")
    made = UserRow.create(
        force_insert=True,
        id=fresh_id(UserRow),
        name=name,
        role=role.value,
        password=password,
    )
    return user_of(made)


def take_code(user: User, code: str, secrets: SecretBox, now: float) -> bool:
    """Whether the user may come in, whose password was found right just now.

    The code, of the authenticator or for its loss, is used up by it.
    """
    is_same = (UserRow.id == user.id) & (UserRow.password == user.password)
    row = UserRow.get_or_none(is_same & ~UserRow.is_disabled)
    if row is None:  # changed meanwhile
        return False
    if row.totp_secret is None:
        return True
    try:
        secret = secrets.decrypt(row.totp_secret)
        step = step_of(secret, code, now, row.totp_step)
    except UnusableKey:
        step = None  # the codes for its loss remain
    if step is not None:
        # Of two processes that are given the same code, one takes it.
        used = UserRow.update(totp_step=step).where(
            is_same & (UserRow.totp_step < step)
        )
        return bool(used.execute())
    left, typed = json.loads(row.recovery_codes), recovery_digest(code)
    if typed not in left:
        return False
    left.remove(typed)
    used = UserRow.update(recovery_codes=json.dumps(left)).where(
        is_same & (UserRow.recovery_codes == row.recovery_codes)
    )
    audit.record(user.actor, "user.recovery_code", user.name, left=len(left))
    return bool(used.execute())


def give_password(row: UserRow, password: str) -> None:
    """A new one by a link: what was set up before is void, and all sessions end."""
    UserRow.update(password=password, **_NO_TOTP).where(UserRow.id == row.id).execute()
    end_sessions(row.id)
    audit.record(f"user:{row.name}", "user.password", row.name, by="link")


def change_password(user: User, session_id: int, password: str) -> None:
    UserRow.update(password=password).where(UserRow.id == user.id).execute()
    end_sessions(user.id, keep=session_id)
    audit.record(user.actor, "user.password", user.name)


def within_session(
    change: Callable[..., None], user: User, session_id: int, *args: Any
) -> None:
    """Make a user's change by a session that is still there.

    It may have been ended, for a reason, while a password was hashed.
    Raises InvalidPayload.
    """
    if SessionRow.get_or_none(SessionRow.id == session_id) is None:
        raise InvalidPayload("This session has ended meanwhile: nothing was changed")
    change(user, session_id, *args)


@dataclass(frozen=True, slots=True)
class NewTotp:
    """`step` was used to prove that an authenticator has the secret."""

    secret: Secret
    step: int
    codes: tuple[str, ...] = field(repr=False)  # for its loss


def set_totp(user: User, session_id: int, totp: NewTotp, secrets: SecretBox) -> None:
    """Ask for codes of this secret from now on. Raises AlreadyOn."""
    kept = UserRow.get_by_id(user.id).totp_secret
    with suppress(UnusableKey):
        if kept is not None and secrets.decrypt(kept) == totp.secret.reveal():
            raise AlreadyOn(param="code")  # a page loaded again sends its form again
    UserRow.update(
        totp_secret=secrets.encrypt(totp.secret.reveal()),
        totp_step=totp.step,
        recovery_codes=json.dumps(list(map(recovery_digest, totp.codes))),
    ).where(UserRow.id == user.id).execute()
    end_sessions(user.id, keep=session_id)
    audit.record(user.actor, "user.totp", user.name, after="on")


def drop_totp(user: User, session_id: int) -> None:
    UserRow.update(**_NO_TOTP).where(UserRow.id == user.id).execute()
    end_sessions(user.id, keep=session_id)
    audit.record(user.actor, "user.totp", user.name, after="off")


def enter(
    user: User, code: str, secrets: SecretBox, then: Callable[[float], None]
) -> bool:
    now = time.time()
    is_right = take_code(user, code, secrets, now)
    if is_right:
        then(now)
    return is_right


def use_link(
    link: str, name: str, password: str, token: str, browser: BrowserFacts
) -> bool:
    """Whether a session began: who is invited signs in with the new password."""
    now = time.time()
    row = links.take_link(link, now)
    if row is None:
        user = add_user(name, Role.OWNER, password)
        audit.record(user.actor, "user.create", user.name, role=user.role, by="link")
    else:
        user = user_of(row)
        give_password(row, password)
        if user.password is None and user.role is Role.HOLDER:
            return False
    begin_session(user, token, browser, now)
    return True


def sign_out(session_id: int, whose: str, actor: str) -> None:
    if end_session(session_id):
        audit.record(actor, "session.end", whose, session=session_id)
