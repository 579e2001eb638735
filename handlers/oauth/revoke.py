"""The end of a device, asked for by itself (RFC 7009)."""

from handlers.oauth.base import OAUTH_SECONDS, OAuthHandler


class RevokeHandler(OAuthHandler):
    async def post(self) -> None:
        """200 for a token that is none, too: it tells nobody which are."""
        revoke = self.gateway.oauth_endpoints.revoke
        await self.within(OAUTH_SECONDS, revoke(await self.form(), self.browser))
        self.finish()
