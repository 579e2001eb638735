"""MemberCalls: what this process asks of the others when somebody looks.

Each is asked at the URL of its row: over https, or http where that stays on this
machine or in a network that the owner named. What they answer is not taken on trust
for long texts: it has a bound, and a deadline.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from gateway.cluster.membership import Membership
from gateway.cluster.signed_call import MemberCall
from gateway.process.admin_token import AdminToken
from gateway.settings.member_url import is_fit_for_members
from gateway.settings.parsers import Network
from gateway.store.shared.tables import MemberRow

_ASK_SECONDS = 2.0
_MOST_BYTES = 8 * 1024 * 1024


class MemberAnswer(NamedTuple):
    """Of one member; `text` is None where it was not reached or refused."""

    member_id: int
    text: str | None

    def json(self) -> dict[str, Any] | None:
        try:
            told = json.loads(self.text or "null")
        except (ValueError, RecursionError):
            return None
        return told if isinstance(told, dict) else None


class MemberCalls:
    """Calls to all the others at once."""

    def __init__(
        self,
        membership: Membership,
        admin: AdminToken,
        networks: Sequence[Network],
    ) -> None:
        self._membership = membership
        self._admin = admin
        self._networks = networks
        self._session: aiohttp.ClientSession | None = None
        self._watching: asyncio.Task[None] | None = None
        self._watched: list[MemberAnswer] = []

    async def ask(self, method: str, path: str) -> list[MemberAnswer]:
        """What all others answer, by member; nobody is asked by one that is alone."""
        us = self._membership
        if us.is_alone:
            return []
        others = [row for id, row in sorted(us.rows.items()) if id != us.id]
        return await asyncio.gather(*(self._ask(row, method, path) for row in others))

    def watch(self, path: str) -> list[MemberAnswer]:
        """What they answered lately; they are asked anew for the next time."""
        if self._membership.is_alone:
            return []
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(path))
        return self._watched

    async def _watch(self, path: str) -> None:
        self._watched = await self.ask("GET", path)

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._session is not None:
            await self._session.close()

    async def _ask(self, row: MemberRow, method: str, path: str) -> MemberAnswer:
        url = row.url or ""
        if not self._may_ask(row, url):
            return MemberAnswer(row.id, None)
        if self._session is None:  # one that is alone never needs it
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=_ASK_SECONDS),
                trust_env=False,
            )
        now = int(time.time())
        call = MemberCall(method, path, self._membership.id, row.id, now)
        try:
            async with self._session.request(
                method,
                URL(url.rstrip("/") + path, encoded=True),  # as it was signed
                headers=call.headers(self._admin.value),
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    return MemberAnswer(row.id, None)
                return MemberAnswer(row.id, await _read(answer.content))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return MemberAnswer(row.id, None)

    def _may_ask(self, row: MemberRow, url: str) -> bool:
        own = self._membership.rows.get(self._membership.id)
        is_near = own is not None and machine_of(own) == machine_of(row)
        return is_fit_for_members(url, self._networks, is_near=is_near)


def machine_of(row: MemberRow) -> str:
    """A directory is its machine, device and inode."""
    return str(row.directory).rsplit("-", 2)[0]


async def _read(content: aiohttp.StreamReader) -> str | None:
    """All of it, unless that is too much."""
    read = bytearray()
    async for piece in content.iter_any():
        read += piece
        if len(read) > _MOST_BYTES:
            return None
    return read.decode()
