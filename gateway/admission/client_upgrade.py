"""What a client's upgrade gets: the head of our 101, and upstream's socket in advance.

Our 101 tells what upstream was last heard to say. Where nothing was heard yet, a socket
is opened before the 101 leaves, and the client's first turn uses it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.accounts.eligibility import Demand
from gateway.accounts.pool import OPENS_NO_SOCKET, Pool
from gateway.errors import GatewayError
from gateway.keys.key import Key
from gateway.protocol.facts import Affinity
from gateway.protocol.headers import model_in_metadata, request_headers
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.endpoints import Endpoint, account_headers, url_of
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.tokens import TokenSource
from gateway.upstream.websocket import UpstreamSocket
from gateway.upstream.websocket_handshake import KeptSocket, UpstreamSockets

# A client's upgrade is never held up for longer, whatever upstream does.
LONGEST_DELAY = 1.5


ClientHeaders = Sequence[tuple[str, str]]  # names in lower case


class Upgrades:
    """Prepares the upgrades of clients that were let in."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        tokens: TokenSource,
        sockets: UpstreamSockets,
        learned: LearnedTraits,
    ) -> None:
        self._base_url = settings.upstream_base_url
        self._pool = pool
        self._tokens = tokens
        self._sockets = sockets
        self._learned = learned

    async def prepare(
        self, kept: KeptSocket, client: ClientHeaders, network: str, key: Key | None
    ) -> dict[str, str]:
        """The headers of the 101; a socket that is opened for them goes to `kept`.

        Never fails: an upstream that does not answer leaves nothing to tell.
        """
        demand = Demand(
            model=model_in_metadata(dict(client)),
            websocket=True,
            key_id=key.id if key else None,
            network=network,
            allowed_accounts=key.accounts if key else None,
            affinity=Affinity.from_request(dict(client)),
            is_prewarm=True,
        )
        urls = self._urls(replace(demand, model=None))
        if not self._learned.knows_any(urls):
            kept.keep(await self._open(client, demand))
        return self._learned.upgrade_headers(urls, demand.model)

    def _urls(self, demand: Demand) -> set[str]:
        """Of the accounts of best priority that may take the socket's turns."""
        able = [
            account
            for account, why in self._pool.selection(demand).verdicts.items()
            if why is None or why.reason not in OPENS_NO_SOCKET
        ]
        best = min((account.priority for account in able), default=0)
        return {
            url_of(Endpoint.RESPONSES, account, self._base_url)
            for account in able
            if account.priority == best
        }

    async def _open(
        self, client: ClientHeaders, demand: Demand
    ) -> UpstreamSocket | None:
        """The socket of the account that the first turn would have now."""
        try:
            lease = self._pool.selection(demand).lease(waits_for_home=False)
        except GatewayError:
            return None
        if lease is None:
            return None
        account = lease.account
        try:
            async with asyncio.timeout(LONGEST_DELAY):
                await self._tokens.ensure_fresh(account)
                headers = request_headers(client) | account_headers(account)
                headers["accept-encoding"] = "identity"
                headers.pop("x-codex-turn-state", None)  # it may be another account's
                return await self._sockets.connect(account, headers, demand.model)
        except (UpstreamFault, StoreUnavailable, GatewayError, TimeoutError):
            return None  # the first turn meets it, and says so
