"""What an authorization server answers (RFC 6749, 5.2; RFC 8628, 3.5)."""

from typing import Any

from gateway.errors import GatewayError, InvalidPayload
from gateway.protocol.facts import Origin


class OAuthError(GatewayError):
    """`code` is the RFC's; `callback`: the URL that tells the client instead."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"
    message = "The request is not one of OAuth's"
    origin: Origin = "client"
    callback: str | None = None

    def envelope(self, *, codex: bool) -> dict[str, Any]:
        return {"error": self.code, "error_description": str(self)}


class InvalidClient(OAuthError):
    code = "invalid_client"
    message = "The client_id is none that this gateway knows"


class InvalidGrant(OAuthError):
    """The client signs in anew after it."""

    code = "invalid_grant"
    message = "This sign-in is over; sign in again"


class UnsupportedGrantType(OAuthError):
    code = "unsupported_grant_type"
    message = "The grant_type is none that this gateway takes"


class UnsupportedResponseType(OAuthError):
    code = "unsupported_response_type"
    message = "The response_type is code"


class InvalidScope(OAuthError):
    code = "invalid_scope"
    message = "The scope is gateway"


class AuthorizationPending(OAuthError):
    is_logged = True  # it is no refusal
    code = "authorization_pending"
    message = "Nobody has decided yet"


class SlowDown(OAuthError):
    is_logged = True
    code = "slow_down"
    message = "Too often; wait five seconds longer each time"


class AccessDenied(OAuthError):
    code = "access_denied"
    message = "The person has refused"


class ExpiredToken(OAuthError):
    code = "expired_token"
    message = "The code is over; begin again"


class ClientFault(InvalidPayload):
    """Told on a page: nothing leads back to a client that is not known for sure."""

    message = (
        "This link is no sign-in of Codex to this gateway: follow the one that Codex "
        "itself shows you"
    )


class RequestOver(InvalidPayload):
    message = "This sign-in was decided already, or is too old: begin again in Codex"


class SeatLacking(GatewayError):
    """What a person can mend before a code is given; told on the page."""

    status = 403
    code = "no_seat"
    type = "permission_error"
    message = "You have no seat at this gateway: an owner gives you one at People"
    origin: Origin = "client"
