"""Why a change is not made; the texts are for the operator."""

from collections.abc import Sequence

from gateway.errors import GatewayError, InvalidPayload, NotFound
from gateway.protocol.facts import Origin
from gateway.settings import PROGRAM

_MOST_NAMED = 10


class NotThere(NotFound):
    """`like`: the names that may be meant."""

    def __init__(self, what: str, name: str, like: Sequence[str] = ()) -> None:
        meant = f"; did you mean {', '.join(like[:_MOST_NAMED])}?" if like else ""
        super().__init__(f"There is no {what} '{name}'{meant}")


class AlreadyThere(GatewayError):
    status = 409
    code = "conflict"
    type = "invalid_request_error"
    origin: Origin = "client"


class Unacceptable(InvalidPayload):
    """A value that cannot be what was meant; `param` names the field."""


class OwnersAlone(GatewayError):
    """What a client asks for and only the gateway's owner may do."""

    status = 403
    code = "owner_only"
    type = "permission_error"
    origin: Origin = "client"


class AdminTokenRequired(GatewayError):
    status = 401
    code = "admin_token_required"
    type = "authentication_error"
    message = f"This needs the admin token; `{PROGRAM} admin token` prints it"
    origin: Origin = "client"


class MemberCallRefused(GatewayError):
    status = 401
    code = "member_signature_required"
    type = "authentication_error"
    message = "This is for the gateways that serve from the same database"
    origin: Origin = "client"
