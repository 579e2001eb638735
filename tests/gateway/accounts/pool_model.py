"""A pool and all who use it, as rules of a state machine see them."""

import asyncio
import random

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
)

from gateway.accounts.account import Account, AccountKind, Credentials
from gateway.accounts.eligibility import Reason
from gateway.accounts.health import AccountStatus
from gateway.accounts.pool import Pool
from gateway.errors import LONGEST_RETRY_AFTER, GatewayError, UsageLimitReached
from gateway.failover.decision import (
    RetryBudget,
)
from gateway.protocol.facts import Failure
from gateway.secret import Secret
from gateway.settings import Settings

SETTINGS = Settings.from_env(dotenv="")
MODELS = ("m1", "m2")
# What may take a conversation away from the account that answered it last.
CAUSES = {*Reason, "returned", "previous_response_id"}
numbers = st.integers(0, 19)
sessions = st.sampled_from(["", "s1", "s2", "s3"])
demands: st.SearchStrategy[dict] = st.builds(
    dict,
    session=sessions,
    key=st.sampled_from([None, 1, 2]),
    model=st.sampled_from([None, *MODELS]),
    websocket=st.booleans(),
    follows=st.booleans(),
)
faults = st.sampled_from(
    [
        Failure("connect", "network", "no", code="connection_refused"),
        Failure("headers", "upstream", "no", status=500),
        Failure("headers", "upstream", "no", status=503, retry_after=2.0),
        Failure("headers", "account", "no", status=401),
        Failure("headers", "account", "no", status=403),
        Failure("headers", "account", "no", status=403, body=b"{}"),
        Failure("headers", "account", "no", status=429, code="usage_limit_reached"),
        Failure(
            "headers",
            "account",
            "no",
            status=429,
            code="usage_limit_reached",
            resets_at=1_800_000_300.0,
        ),
        Failure("headers", "account", "no", status=429, retry_after=1.5),
        Failure("headers", "account", "no", status=404, code="model_not_found"),
        Failure("headers", "account", "no", status=403, code="account_deactivated"),
        Failure("headers", "client", "no", status=400),
        Failure("handshake", "upstream", "no", status=426),
        Failure("stream", "upstream", "no", code="stream_incomplete"),
    ]
)


def seconds(most):
    return st.integers(1, most).map(float)


class PoolModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()

    @initialize(count=st.integers(1, 20), seed=st.integers(0, 99), data=st.data())
    def begin(self, count, seed, data):
        self.now = 1_800_000_000.0
        self.rng = random.Random(seed)
        self.rows = {n: self.row(n, data) for n in range(1, count + 1)}
        self.next_id = count + 1
        self.pool = self.fresh_pool()
        self.budget = RetryBudget()
        self.asked, self.repeated = [], []
        self.held = {}  # lease → account, of requests that run
        self.waiting = []
        self.served = {}  # (key, session) → account id that answered last
        self.responses = 0

    def row(self, number, data):
        """An account as the database holds it."""
        is_key = data.draw(st.booleans()) and data.draw(st.booleans())
        return {
            "id": number,
            "name": f"a{number}",
            "kind": AccountKind.API_KEY if is_key else AccountKind.CHATGPT,
            "priority": 100 if is_key else 0,
            "websockets": not is_key,
            "concurrency": data.draw(st.integers(1, 3)),
            "credentials": Credentials(refresh_token=Secret("r"), expires_at=1.0),
        }

    def fresh_pool(self):
        pool = Pool(SETTINGS, lambda: self.now, rng=self.rng)
        pool.replace(Account(**row) for row in self.rows.values())
        return pool

    def teardown(self):
        try:
            if hasattr(self, "pool"):
                self.end_all()
                assert all(a.in_flight == 0 for a in self.pool.accounts.values())
                assert self.pool.waiting == 0
        finally:
            self.loop.close()

    def end_all(self):
        """Every request ends, those that wait too."""
        for task, _ in self.waiting:
            task.cancel()
        self.turn()
        for lease in list(self.held):
            self.finish(lease)

    def account(self, number):
        accounts = list(self.pool.accounts.values())
        return accounts[number % len(accounts)] if accounts else None

    def turn(self):
        """Let tasks run until none can go on, and take the leases they got."""
        for _ in range(4):
            self.loop.run_until_complete(asyncio.sleep(0))
        for task, demand in list(self.waiting):
            if task.done():
                self.waiting.remove((task, demand))
                if task.cancelled() or isinstance(task.exception(), GatewayError):
                    continue
                self.take(task.result(), demand)

    def take(self, lease, demand):
        """A lease was granted just now: check that it may be."""
        self.held[lease] = lease.account
        account = lease.account
        assert account.in_flight <= account.concurrency
        assert account.id not in demand.excluded
        assert not demand.websocket or account.websockets
        session = (demand.key_id, demand.affinity.session_id)
        before = self.served.get(session)
        if demand.affinity.session_id and before not in (None, account.id):
            assert lease.switch_cause in CAUSES
            assert lease.switched_from

    def able(self, demand):
        """Ids of the accounts that can take the request, in the test's own words."""
        return {
            account.id
            for account in self.pool.accounts.values()
            if self.is_well(account)
            and account.in_flight < account.concurrency
            and account.id not in demand.excluded
            and account.serves(demand.model, self.now)
            and (account.websockets or not demand.websocket)
            and not (demand.websocket and self.sockets_are_off(account))
        }

    def sockets_are_off(self, account):
        return self.pool.verdicts.base(account).sockets_off_until > self.now

    def is_well(self, account):
        """What two clients met keeps nobody away who has no other account."""
        mark = account.health.current_mark(self.now)
        status = account.health.status(self.now)
        if self.pool.verdicts.base(account).edge_until > self.now:
            return False
        return status is AccountStatus.ACTIVE or (
            status is AccountStatus.COOLING and mark.is_suspicion
        )

    def ask(self, demand):
        """Ask for a lease; it is granted, refused, or waits in line."""
        able = self.able(demand)
        task = self.loop.create_task(self.pool.lease(demand))
        self.loop.run_until_complete(asyncio.sleep(0))
        if not task.done():
            self.waiting.append((task, demand))
            return None
        error = task.exception()
        if error is None:
            lease = task.result()
            assert lease.account.id in able
            self.take(lease, demand)
            return lease
        assert isinstance(error, GatewayError)
        if demand.affinity.previous_response_id is None:
            assert not able, f"{error!r} although {able} could serve"
        if isinstance(error, UsageLimitReached):
            assert error.resets_at > self.now
        return None

    def is_back_soon(self, account):
        state = account.health
        if state.status(self.now) is not AccountStatus.COOLING:
            return False
        return state.until(self.now) - self.now < LONGEST_RETRY_AFTER

    def finish(self, lease):
        self.held.pop(lease, None)
        lease.release()
        lease.release()

    def note_answer(self, lease):
        demand = lease.demand
        self.pool.observer.success(lease)
        if demand.affinity.session_id:
            self.served[demand.key_id, demand.affinity.session_id] = lease.account.id
