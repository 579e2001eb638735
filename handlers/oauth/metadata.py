"""What clients may know of the authorization server (RFC 8414)."""

from gateway.oauth.client_rules import SCOPE
from gateway.oauth.endpoints import CODE_GRANT, DEVICE_GRANT, REFRESH_GRANT
from handlers.oauth.base import OAuthHandler
from handlers.operations.not_found import public_origin


class MetadataHandler(OAuthHandler):
    needs_pages = True

    def get(self) -> None:
        origin = public_origin(self.facts, self.gateway.settings)
        self.write_json(
            {
                "issuer": origin,
                "authorization_endpoint": f"{origin}/oauth/authorize",
                "token_endpoint": f"{origin}/oauth/token",
                "device_authorization_endpoint": f"{origin}/oauth/device",
                "revocation_endpoint": f"{origin}/oauth/revoke",
                "scopes_supported": [SCOPE],
                "response_types_supported": ["code"],
                "grant_types_supported": [CODE_GRANT, REFRESH_GRANT, DEVICE_GRANT],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "revocation_endpoint_auth_methods_supported": ["none"],
            }
        )
