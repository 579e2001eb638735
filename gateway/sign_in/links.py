"""Links that open once: for the first user, or for one whose password is to be new.

The token stands in the URL's fragment, which no server, log or proxy gets to see.
"""

from gateway.errors import InvalidPayload
from gateway.keys.key import digest
from gateway.sign_in.sessions import new_token
from gateway.store.users.tables import LinkRow, UserRow

# Long enough to walk to another machine with it.
LINK_SECONDS = 15 * 60
# To somebody who is invited: over a weekend.
INVITE_SECONDS = 72 * 3600
# Whose link makes the first user.
NOBODY = 0
LINK_PATH = "/dashboard/link#"


class LinkOver(InvalidPayload):
    message = (
        "This link was used, is older than 15 minutes (an invitation: 72 hours), or "
        "was replaced by a newer one: ask for another"
    )


def link_url(public_url: str, port: int, token: str) -> str:
    """What a browser opens; without a public URL on this machine only."""
    return f"{public_url or f'http://127.0.0.1:{port}'}{LINK_PATH}{token}"


# In a transaction.


def is_set_up() -> bool:
    """Whether somebody has a password."""
    return bool(UserRow.select().where(UserRow.password.is_null(False)).exists())


def make_link(user_id: int, now: float, seconds: int = LINK_SECONDS) -> str:
    """The token of a new link, which replaces an earlier one."""
    token = new_token()
    row = {"digest": digest(token), "expires_at": int((now + seconds) * 1000)}
    LinkRow.insert(user_id=user_id, **row).on_conflict(
        conflict_target=[LinkRow.user_id], update=row
    ).execute()
    return token


def user_of_link(token: str, now: float) -> UserRow | None:
    """Whose it is, None: it makes the first user. Raises LinkOver."""
    row = LinkRow.get_or_none(
        (LinkRow.digest == digest(token)) & (LinkRow.expires_at > int(now * 1000))
    )
    if row is None or (row.user_id == NOBODY and is_set_up()):
        raise LinkOver
    if row.user_id == NOBODY:
        return None
    user = UserRow.get_or_none((UserRow.id == row.user_id) & ~UserRow.is_disabled)
    if user is None:
        raise LinkOver
    return user


def take_link(token: str, now: float) -> UserRow | None:
    """The same; it opens nothing from now on."""
    user = user_of_link(token, now)
    gone = LinkRow.delete().where(LinkRow.digest == digest(token)).execute()
    if not gone:  # another process was faster
        raise LinkOver
    return user
