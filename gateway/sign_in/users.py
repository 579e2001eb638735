"""Users of the dashboard, in memory like API keys, and what each may do."""

import json
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.store.users.tables import UserRow

MOST_NETWORKS = 10  # of those a user signed in from
_LONGEST_TYPED = 200  # far above a name, and nothing to fold for long


class Role(StrEnum):
    """What a user may do: each whatever those before it may."""

    HOLDER = "holder"  # the own page alone, with the devices of the own seat
    VIEWER = "viewer"
    OPERATOR = "operator"  # no users, logins, base URLs, egress, addresses in exports
    OWNER = "owner"

    def includes(self, least: "Role") -> bool:
        """Whether it may what `least` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(least)


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    role: Role
    password: str | None = field(repr=False)  # argon2id; None: none yet
    has_totp: bool = False
    recovery_codes: int = 0  # that are left
    networks: tuple[str, ...] = ()  # signed in from
    disabled: bool = False
    created_at: float = 0.0  # unix seconds, as the next one
    signed_in_at: float | None = None

    @property
    def actor(self) -> str:
        """As the audit names it."""
        return f"user:{self.name}"


def user_of(row: UserRow) -> User:
    """A role of a later release's is the least: nothing is given away."""
    return User(
        id=row.id,
        name=row.name,
        role=Role(row.role) if row.role in list(Role) else Role.HOLDER,
        password=row.password,
        has_totp=row.totp_secret is not None,
        recovery_codes=len(json.loads(row.recovery_codes)),
        networks=tuple(json.loads(row.networks)),
        disabled=row.is_disabled,
        created_at=row.created_at / 1000,
        signed_in_at=None if row.signed_in_at is None else row.signed_in_at / 1000,
    )


def load_users() -> list[User]:
    return [user_of(row) for row in UserRow.select().order_by(UserRow.id)]


def folded(name: str) -> str:
    """A name as it is compared: nobody's differs from another's by case alone."""
    return name.strip()[:_LONGEST_TYPED].casefold()
