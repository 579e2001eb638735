"""Why somebody who may ask for pages does not get this one."""

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin


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
