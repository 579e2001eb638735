"""Tokens for codes, for refresh tokens, and for those who poll."""

from gateway.errors import GatewayError
from gateway.oauth.client_rules import SCOPE
from gateway.oauth.endpoints import DEVICE_GRANT, REFRESH_GRANT
from gateway.oauth.errors import AuthorizationPending
from handlers.oauth.base import OAUTH_SECONDS, OAuthHandler

# A client repeats it for 6.5 s, and gets the same answer then.
ROTATION_SECONDS = 3.0


class TokenHandler(OAuthHandler):
    _may_poll = True  # until the form says what it is

    async def post(self) -> None:
        form = await self.form()
        grant = form.get("grant_type")
        self._may_poll = grant == DEVICE_GRANT
        seconds = ROTATION_SECONDS if grant == REFRESH_GRANT else OAUTH_SECONDS
        issue = self.gateway.oauth_endpoints.issue
        issued = await self.within(seconds, issue(form, self.browser))
        self.write_json(
            {
                "access_token": issued.access.reveal(),
                "token_type": "Bearer",
                "expires_in": issued.expires_in,
                "refresh_token": issued.refresh.reveal(),
                "scope": SCOPE,
            }
        )

    def write_error_body(self, error: GatewayError) -> None:
        """One 5xx ends a client's polling for good: our own trouble is a pause."""
        is_pause = error.status >= 500 and self._may_poll
        super().write_error_body(AuthorizationPending() if is_pause else error)
