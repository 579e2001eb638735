"""Where the device flow begins (RFC 8628, 3.1)."""

from gateway.oauth.device_flow import DEVICE_SECONDS
from gateway.oauth.endpoints import CODE_POLL_SECONDS
from handlers.oauth.base import OAUTH_SECONDS, OAuthHandler
from handlers.operations.not_found import public_origin


class DeviceHandler(OAuthHandler):
    needs_pages = True

    async def post(self) -> None:
        begin = self.gateway.oauth_endpoints.begin_device
        code, user_code = await self.within(
            OAUTH_SECONDS, begin(await self.form(), self.browser)
        )
        origin = public_origin(self.facts, self.gateway.settings)
        # No verification_uri_complete: a code in a URL is approved by who is lured.
        self.write_json(
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": f"{origin}/device",
                "expires_in": DEVICE_SECONDS,
                "interval": CODE_POLL_SECONDS,
            }
        )
