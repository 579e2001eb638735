"""Calls of the gateway's own in an account's name."""

import time
from collections.abc import Mapping

import aiohttp
from orjson import dumps

from gateway.accounts.account import Account
from gateway.protocol.numbers import unix_time
from gateway.upstream.api import ApiResponse, fetch
from gateway.upstream.endpoints import account_headers
from gateway.upstream.tokens import TokenSource

# Honest: these calls are the gateway's, not any client's.
USER_AGENT = "codex-gateway"
# A clock that is off by so much makes tokens and limits end at the wrong time.
LARGEST_CLOCK_SKEW = 600.0


class AccountCalls:
    """Calls as an account, with a fresh token, and once more with a newer one."""

    def __init__(self, session: aiohttp.ClientSession, tokens: TokenSource) -> None:
        self._session = session
        self._tokens = tokens
        # Seconds that our clock is ahead of upstream's, as the last answer told.
        self.clock_skew: float | None = None

    async def get(
        self, account: Account, url: str, *, etag: str | None = None
    ) -> ApiResponse:
        """Whatever upstream answers. Raises UpstreamFault when it does not."""
        headers = {} if etag is None else {"if-none-match": etag}
        return await self._call(account, "GET", url, headers)

    async def post(
        self, account: Account, url: str, document: Mapping[str, str]
    ) -> ApiResponse:
        """The same for a JSON object; upstream may get it twice."""
        headers = {"content-type": "application/json"}
        return await self._call(account, "POST", url, headers, dumps(document))

    async def _call(
        self,
        account: Account,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> ApiResponse:
        await self._tokens.ensure_fresh(account)
        used = account.credentials.access_token
        answer = await self._once(account, method, url, headers, body)
        if answer.status == 401 and await self._tokens.refresh_after_401(account, used):
            answer = await self._once(account, method, url, headers, body)
        return answer

    async def _once(
        self,
        account: Account,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> ApiResponse:
        sent = {
            **account_headers(account),
            "accept": "application/json",
            "user-agent": USER_AGENT,
            **headers,
        }
        answer = await fetch(self._session, method, url, headers=sent, body=body)
        told = unix_time(answer.headers.get("date"))
        self.clock_skew = None if told is None else time.time() - told
        return answer


def describe_skew(skew: float | None) -> str:
    """Words for a clock that is far off, else none; `skew` as in `clock_skew`."""
    if skew is None or abs(skew) < LARGEST_CLOCK_SKEW:
        return ""
    size, unit = (skew / 86_400, "days") if abs(skew) >= 86_400 else (skew / 60, "min")
    direction = "ahead of" if skew > 0 else "behind"
    return (
        f"this machine's clock is {abs(size):.0f} {unit} {direction} upstream's: "
        "tokens and limits end at the wrong time"
    )
