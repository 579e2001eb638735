"""Calls of the gateway's own in an account's name."""

import aiohttp

from gateway.accounts.account import Account
from gateway.upstream.api import ApiResponse, fetch
from gateway.upstream.endpoints import account_headers
from gateway.upstream.tokens import TokenSource

# Honest: these calls are the gateway's, not any client's.
USER_AGENT = "codex-gateway"


class AccountCalls:
    """GET as an account, with a fresh token, and once more with a newer one."""

    def __init__(self, session: aiohttp.ClientSession, tokens: TokenSource) -> None:
        self._session = session
        self._tokens = tokens

    async def get(
        self, account: Account, url: str, *, etag: str | None = None
    ) -> ApiResponse:
        """Whatever upstream answers. Raises UpstreamFault when it does not."""
        await self._tokens.ensure_fresh(account)
        used = account.credentials.access_token
        answer = await self._get(account, url, etag)
        if answer.status == 401 and await self._tokens.refresh_after_401(account, used):
            answer = await self._get(account, url, etag)
        return answer

    async def _get(self, account: Account, url: str, etag: str | None) -> ApiResponse:
        headers = {
            **account_headers(account),
            "accept": "application/json",
            "user-agent": USER_AGENT,
        }
        if etag is not None:
            headers["if-none-match"] = etag
        return await fetch(self._session, "GET", url, headers=headers)
