"""Why somebody who may ask for pages does not get this one."""

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin
from gateway.sign_in.users import Role, User

_LONGEST_NAME = 80


class SignInNeeded(GatewayError):
    """Answered by the way to the sign-in."""

    status = 401
    code = "sign_in_needed"
    type = "authentication_error"
    message = "Sign in first"
    origin: Origin = "client"


class FreshSignInNeeded(SignInNeeded):
    """The session is too old for this; answered by the way to a new sign-in."""

    message = "Sign in again for this"


class RoleLacking(GatewayError):
    status = 403
    code = "role_lacking"
    type = "permission_error"
    origin: Origin = "client"


class NobodyHere(RoleLacking):
    """A sign-on proxy names somebody who is no user, or a disabled one."""

    def __init__(self, name: str) -> None:
        shown = "".join(c if c.isprintable() else "?" for c in name[:_LONGEST_NAME])
        super().__init__(
            f"The sign-on proxy says that you are '{shown}', who is no user here, or a "
            "disabled one: an owner makes users"
        )


def check_role(
    user: User | None, least: Role, *, has_session: bool, named: str
) -> None:
    """Raise what keeps somebody from a page; `named` by a sign-on proxy, "" by none."""
    if user is not None:
        if not user.role.includes(least):
            raise RoleLacking(f"This needs the role {least}; yours is {user.role}")
    elif named:
        raise NobodyHere(named)
    elif has_session:
        raise RoleLacking("An API key opens its holder's page only")
    else:
        raise SignInNeeded
