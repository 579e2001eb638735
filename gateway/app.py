"""Gateway: builds the parts of a process, starts and stops them in order."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from gateway.accounts.observer import BY_TOKEN_ENDPOINT
from gateway.accounts.pool import Pool
from gateway.admission.access import Access
from gateway.admission.arrivals import Arrivals
from gateway.admission.body_budget import BodyBudget, Sender
from gateway.admission.client_sockets import ClientSockets
from gateway.admission.client_upgrade import Upgrades
from gateway.cluster.database_clock import DatabaseClock
from gateway.cluster.grants import Grants
from gateway.cluster.member_calls import MemberCalls
from gateway.cluster.membership import Membership
from gateway.cluster.peers import RELOAD, Peers
from gateway.keys.key import KeyRing
from gateway.keys.limiter import Limiter
from gateway.keys.metering import Metering
from gateway.keys.request_rules import NO_RULES
from gateway.monitoring.background import BackgroundTasks
from gateway.monitoring.metrics import Metrics
from gateway.monitoring.recorder.gateway_sample import sample_gateway
from gateway.monitoring.recorder.recorder import Recorder
from gateway.monitoring.supervisor import Supervisor
from gateway.notifications.configured import open_notifications
from gateway.oauth.device_flow import DeviceFlow
from gateway.oauth.endpoints import Endpoints
from gateway.oauth.oauth import OAuth
from gateway.polling.catalogues import Catalogues
from gateway.polling.judges import Judges
from gateway.polling.reset_credits import ResetCredits
from gateway.polling.shared_accounts import SharedAccounts
from gateway.polling.usage import UsagePoller
from gateway.pricing.pricing import Prices
from gateway.process.admin_token import AdminToken
from gateway.process.database_lock import DatabaseLock
from gateway.protocol.websocket_frames import Frame
from gateway.repository.accounts import AccountStore, load_accounts
from gateway.repository.change_watch import ChangeWatch
from gateway.repository.keys import StoredKeys, keys_ever_made
from gateway.repository.options import load_rules, load_strategy
from gateway.repository.persisting import Persisting
from gateway.repository.shared.bindings import SharedBindings
from gateway.repository.shared.retention import Retention
from gateway.repository.startup import stored_bindings
from gateway.settings import Settings
from gateway.sign_in.sign_in import SignIn
from gateway.store.encryption import SecretBox
from gateway.store.store import Store
from gateway.turns.client_request import ClientFacts, ClientRequest
from gateway.turns.http import Proxy
from gateway.turns.keepalive import STREAM_TIMING, StreamTiming
from gateway.turns.relay import RelayLimits
from gateway.turns.runner import TurnRunner
from gateway.turns.turn import ClientView
from gateway.turns.websocket import WebSocketSession
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.http import UpstreamHttp, open_session
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.tokens import TokenSource
from gateway.upstream.websocket_handshake import UpstreamSockets

# Bodies of requests that need no key, apart from the others: strangers send them.
SIDE_BUDGET_BYTES = 64 * 1024 * 1024
# Turns that were cut get so long to leave their rows.
STOP_SECONDS = 2.0


class Gateway:
    """All parts of one process, started; handlers get it injected."""

    is_draining = False
    rules = NO_RULES  # for requests; a key has its own besides

    def __init__(
        self, settings: Settings, secrets: SecretBox, timing: StreamTiming
    ) -> None:
        """Build the parts; `start` is what opens them."""
        self.settings, self.secrets = settings, secrets
        self.supervisor, self.background = Supervisor(), BackgroundTasks()
        self.channels = ClientSockets(settings.sockets_per_key)
        store = self.store = Store(settings.database_url, secrets=secrets)
        lock = self.database_lock = DatabaseLock(settings.direct_url, settings.data_dir)
        self.admin = AdminToken(self.store, secrets, settings)
        self.ring, self._stored_keys = KeyRing(), StoredKeys()
        self.sign_in = SignIn(self.store, secrets, self.ring)
        self.oauth = OAuth(self.store, secrets, self.ring)
        self.oauth_endpoints = Endpoints(self.store, self.oauth)
        self.device_flow = DeviceFlow(self.store, self.sign_in.guesses)
        self.access = Access(settings, self.ring, self.oauth.access)
        self.body_budget = BodyBudget(settings.body_budget_bytes)
        self.side_budget = BodyBudget(SIDE_BUDGET_BYTES)
        clock = self.database_clock = DatabaseClock(store)
        limiter = self.limiter = Limiter(clock.time)
        self.arrivals, self.prices = Arrivals(limiter), Prices(settings.prices)
        pool = self.pool = Pool(settings)
        members = self.membership = Membership(self.store, settings)
        self.member_calls = MemberCalls(members, self.admin, settings.member_networks)
        self.grants = Grants(store, members, limiter, pool, self.ring, lock.heard)
        self.changes = ChangeWatch(self.store, self._load, members.acknowledge)
        self.peers = Peers(self.changes.load, self.grants.note_gone)
        session, http = open_session(settings), UpstreamHttp(settings)
        self._session, self._http = session, http
        self._learned = LearnedTraits(self.max_message_bytes)
        self._sockets = UpstreamSockets(session, settings, self._learned)
        rule = partial(pool.observer.rule, by=BY_TOKEN_ENDPOINT)
        logins = AccountStore(self.store, secrets)
        tokens = TokenSource(session, settings.auth_base_url, logins, rule)
        self.tokens, self.calls = tokens, AccountCalls(session, tokens)
        base_url, claims = settings.upstream_base_url, members.claims
        catalogues = self.catalogues = Catalogues(pool, self.calls, base_url)
        usage = self.usage = UsagePoller(pool, self.calls, base_url, claims=claims)
        self.resets = ResetCredits(pool, self.calls, usage, base_url)
        self.judges = Judges(pool, tokens, usage, catalogues, self._sockets, claims)
        self.upgrades = Upgrades(settings, pool, tokens, self._sockets, self._learned)
        metering = Metering(limiter, self.prices, settings.unpriced, members)
        shared = SharedBindings(self.store, pool, lambda: members.is_alone)
        self.turns = TurnRunner(
            pool, self.judges, metering, self.body_budget, catalogues.lookups, shared
        )
        limits = self._limits = RelayLimits.of(settings, timing)
        self.proxy = Proxy(settings, self.turns, pool, http, self._learned, limits)
        self.metrics = Metrics(self, by_key=settings.metrics_keys)
        self.notifications = open_notifications(self, session, settings)
        sample = partial(sample_gateway, self)
        self._recorder = Recorder(settings.data_dir, sample, self.metrics.loop)
        keep = self.persisting = Persisting(
            store, pool.bindings, self.supervisor.surviving
        )
        self.shared_accounts = SharedAccounts(store, pool, claims, clock.time, keep)
        self._opened = AsyncExitStack()

    @property
    def max_message_bytes(self) -> int:
        """What could never be taken is refused for good, and not for now."""
        return min(self.settings.max_body_bytes, self.body_budget.largest_share)

    @classmethod
    async def start(
        cls,
        settings: Settings,
        timing: StreamTiming = STREAM_TIMING,
        *,
        takes_over: bool = True,
    ) -> "Gateway":
        """Open the database, load what it has, begin the polls; `stop` ends it all.

        `takes_over`: no other process of the data directory is alive.
        Raises UnusableDatabase or UnusablePrices, which say what to do about it;
        nothing is open then.
        """
        key = settings.encryption_key
        secrets = await asyncio.get_running_loop().run_in_executor(
            None, SecretBox.open, settings.data_dir, key.reveal() if key else ""
        )
        gateway = cls(settings, secrets, timing)
        await gateway.start_parts(takes_over=takes_over)
        return gateway

    async def start_parts(self, *, takes_over: bool = True) -> None:
        """Start all parts; those already started are stopped if one fails."""
        self.started_at = time.time()
        async with AsyncExitStack() as opened:
            await self._open(opened, takes_over)
            self._opened = opened.pop_all()

    async def _open(self, opened: AsyncExitStack, takes_over: bool) -> None:
        """Start the parts; `opened` closes them, the last registered first."""
        opened.push_async_callback(self._session.close)  # whatever else fails
        opened.push_async_callback(self.database_lock.release)
        self.database_lock.heard.subscribe(self.changes.hear)
        await self.database_lock.acquire()
        opened.callback(self.peers.close)  # who goes on learns of it after all rows
        opened.push_async_callback(self.store.stop)
        opened.push_async_callback(self.membership.leave)
        opened.push_async_callback(self.grants.leave)
        opened.callback(self.persisting.hand_over)
        opened.push_async_callback(self.drain, STOP_SECONDS)
        opened.push_async_callback(self._session.close)
        opened.push_async_callback(self._http.close)
        opened.callback(self.channels.cut)
        opened.push_async_callback(self.tokens.close)
        self.pool.observer.account_changed.subscribe(self.persisting.changed.add)
        self.pool.observer.failure_met.subscribe(self.judges.note_failure)
        self.membership.changed.subscribe(self._divide)
        self.turns.exchange_ended.subscribe(self.store.refusals.log)
        self.turns.exchange_ended.subscribe(self.metrics.observe)
        self.notifications.settled.subscribe(
            lambda one: self.metrics.count_notice(one.channel, one.kind)
        )
        self.turns.exchange_ended.subscribe(self.catalogues.note_exchange)
        await self.store.start()
        await self.admin.start()
        await self.database_clock.measure()
        await self.membership.join(takes_over=takes_over)
        self.store.writer.batches.member_id = self.membership.id
        opened.callback(self.sign_in.close)
        await self.changes.look()
        await self.grants.start()
        self.pool.bindings.restore(await self.store.read(stored_bindings), time.time())
        opened.push_async_callback(self.member_calls.close)
        opened.push_async_callback(self._recorder.stop)
        opened.push_async_callback(self.judges.close)
        opened.push_async_callback(self.resets.close)
        opened.push_async_callback(self.catalogues.lookups.close)
        opened.push_async_callback(self.supervisor.stop)
        opened.push_async_callback(self.background.close)
        claims, days = self.membership.claims, self.settings.log_retention_days
        for name, run in (
            ("recorder", self._recorder.run),
            ("catalogues", self.catalogues.run),
            ("usage", self.usage.run),
            ("shared_accounts", self.shared_accounts.run),
            ("judges", self.judges.run),
            ("devices", self.oauth.access.watch),
            ("persist", self.persisting.run),
            ("database_file", self.store.watch_file),
            ("retention", Retention(self.store, claims, days).run),
            ("changes", self.changes.run),
            ("members", self.membership.run),
            ("database_clock", self.database_clock.run),
            ("grants", self.grants.run),
            *self.notifications.tasks(),
        ):
            self.supervisor.start(name, run)

    async def stop(self) -> None:
        """Close upstream, then write what waits."""
        await self._opened.aclose()

    async def drain(self, seconds: float) -> None:
        """Let running turns end, for at most so many seconds; close what is idle."""
        self.is_draining = True
        self.membership.drain()
        self.channels.drain()
        try:
            async with asyncio.timeout(seconds):
                await self.turns.wait_until_idle()
        except TimeoutError:
            return

    async def flush(self) -> None:
        """Return once all changes until now are in the database.

        Raises StoreUnavailable when it takes none.
        """
        self.persisting.hand_over()
        await self.grants.flush()
        await self.store.flush()

    async def reload(self) -> None:
        """Load accounts, keys and prices, here and at all members."""
        await self.changes.load()
        await self.changes.look()
        self.peers.broadcast(RELOAD)
        await self.membership.wait_for_others(self.changes.revision)

    def _divide(self, living: frozenset[int]) -> None:
        """What all members may do together, each does a part of."""
        self.pool.verdicts.witnesses.is_shared = len(living) > 1
        self.judges.members = self.turns.attempts.budget.members = len(living)

    async def _load(self) -> None:
        accounts = await self.store.read(load_accounts, self.secrets)
        keys = await self.store.read(self._stored_keys.load)
        self.pool.replace(accounts)
        # Stored apart from the keys: to remove the last one admits nobody.
        ever_made = await self.store.read(keys_ever_made)
        self.ring.replace(keys, ever_made=ever_made)
        await self.admin.load()
        await self.sign_in.load()
        await self.oauth.load()
        self.pool.strategy = await self.store.read(load_strategy)
        self.rules = await self.store.read(load_rules)
        self.limiter.ledger.retain(self.ring)
        await asyncio.to_thread(self.prices.reload)

    def open_channel(
        self,
        sender: Sender,
        request_of: Callable[[Frame], ClientRequest],
        client: ClientFacts,
        *,
        is_codex: bool,
    ) -> WebSocketSession:
        """A channel for one client socket, known here until it closes."""
        view = ClientView(is_codex, None, keys_in_use=not client.sees_windows)
        channel = WebSocketSession(
            self.turns, self._sockets, request_of, view, self._limits
        )
        self.channels.add(channel, sender)
        self.oauth.access.note_socket(channel, client.device_id)
        if self.is_draining:
            channel.drain()
        return channel
