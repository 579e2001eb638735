"""Three keys over three accounts: one draws what it likes, and judges tell the truth.

Invariants: whoever asks honestly is served as long as an account is well; an account
is closed to all only by a true state; every turn ends within a handful of attempts.
"""

import asyncio
import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from gateway.accounts.account import Account, Credentials
from gateway.accounts.eligibility import Demand
from gateway.accounts.pool import Pool
from gateway.errors import GatewayError
from gateway.failover.decision import (
    Attempt,
    Elsewhere,
    GiveUp,
    RetryBudget,
    RetryHere,
    WaitOut,
    decide,
)
from gateway.protocol.facts import Affinity, Failure
from gateway.protocol.failure_kind import Tries, kind_of, rules_of
from gateway.secret import Secret
from gateway.settings import Settings

SETTINGS = Settings.from_env(dotenv="")
HOSTILE, HONEST = 3, (1, 2)
ACCOUNTS = (1, 2, 3)


def failure(status, code=None, **fields):
    fields.setdefault("phase", "headers")
    return Failure(origin="upstream", message="no", status=status, code=code, **fields)


# What a request can draw by itself: no code that upstream sets for an account.
DRAWN = st.sampled_from(
    [
        failure(400, "invalid_request_error"),
        failure(401, "token_expired", body=b"{}"),
        failure(402, body=b"{}"),
        failure(403),
        failure(403, "forbidden", body=b"{}"),
        failure(404, "model_not_found", param="input"),
        failure(426, phase="handshake"),
        failure(429, "rate_limit_exceeded", retry_after=50.0),
        failure(429, "rate_limit_exceeded", retry_after=1e9),
        failure(429, "usage_limit_reached"),
        failure(500),
        failure(503, "server_is_overloaded"),
        failure(None, "upstream_first_event_timeout", phase="first_event"),
    ]
)


class JudgementMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def teardown(self):
        self.loop.close()

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed):
        self.now = 1_800_000_000.0
        self.pool = Pool(SETTINGS, lambda: self.now, rng=random.Random(seed))
        tokens = Credentials(access_token=Secret("a"), refresh_token=Secret("r"))
        self.pool.replace(
            Account(id=one, name=f"a{one}", credentials=tokens) for one in ACCOUNTS
        )
        self.budget = RetryBudget()
        self.limited_until = dict.fromkeys(ACCOUNTS, 0.0)  # the truth

    def well(self):
        return [one for one in ACCOUNTS if self.limited_until[one] <= self.now]

    def answer(self, account_id):
        """What upstream truly says to an honest request; None: it is served."""
        until = self.limited_until[account_id]
        if until <= self.now:
            return None
        return failure(429, "usage_limit_reached", resets_at=until, body=b"{}")

    async def lease(self, demand):
        """A lease; who waits for a limit that ends within seconds has them pass."""
        waiting = asyncio.ensure_future(self.pool.lease(demand))
        await asyncio.sleep(0)
        while not waiting.done():
            self.now += 1.0
            self.pool.serve_queue()
            await asyncio.sleep(0)
        return await waiting

    def turn(self, key, session, answer):
        """A whole turn; True when it was served, else the last failure or error."""
        self.budget.count(key, self.now)
        demand = Demand(
            model="m", key_id=key, affinity=Affinity(session_id=session or None)
        )
        excluded, here, moved, judged, waited = set(), 0, None, False, False
        lease, last = None, None
        for _ in range(20):
            if lease is None:
                wanted = Demand(
                    model="m",
                    key_id=key,
                    affinity=demand.affinity,
                    excluded=frozenset(excluded),
                )
                try:
                    lease = self.loop.run_until_complete(self.lease(wanted))
                except GatewayError as error:
                    return last or error
            here += 1
            met = answer(lease.account.id)
            if met is None:
                self.pool.observer.success(lease)
                lease.release()
                return True
            self.pool.observer.failure(lease, met)
            last = met
            tried = frozenset(excluded | {lease.account.id})
            attempt = Attempt(
                accounts_left=self.pool.count_eligible(demand, tried),
                here=here,
                moved_by=moved,
                judged=judged,
                troubled=self.pool.verdicts.is_troubled(lease.account, "m", self.now),
                wait=None if waited else 1.0,
            )
            decision = self.budget.allow(decide(met, attempt), key, self.now)
            match decision:
                case RetryHere(asks_judge=asks):
                    judged = judged or asks
                case Elsewhere():
                    excluded.add(lease.account.id)
                    if rules_of(met).tries is Tries.ONCE:
                        moved = kind_of(met)
                    here, judged = 0, False
                    lease.release()
                    lease = None
                case WaitOut(after=after):
                    self.now += after
                    waited, here = True, 0
                    excluded.clear()
                    lease.release()
                    lease = None
                case GiveUp():
                    lease.release()
                    return met
        raise AssertionError("a turn without an end")

    @rule(key=st.sampled_from(HONEST), session=st.sampled_from(["", "s1", "s2"]))
    def honest_turn(self, key, session):
        well = [one for one in self.well() if self.is_open(one)]
        served = self.turn(key, session, self.answer)
        assert served is True or not well, served

    def is_open(self, account):
        """Whether no limit is known of it, which may have ended before its time."""
        return self.pool.accounts[account].health.takes_requests(self.now)

    @rule(met=DRAWN, session=st.sampled_from(["", "x", "y"]), turns=st.integers(1, 6))
    def hostile_turns(self, met, session, turns):
        for _ in range(turns):
            self.turn(HOSTILE, session, lambda _: met)

    @rule(account=st.sampled_from(ACCOUNTS), seconds=st.integers(70, 7_200))
    def account_is_used_up(self, account, seconds):
        self.limited_until[account] = self.now + seconds

    @rule(account=st.sampled_from(ACCOUNTS))
    def a_judge_says_the_truth(self, account):
        held = self.pool.accounts[account]
        met = self.answer(account)
        if met is None:
            held.health.contradict_limit()
            self.pool.observer.acquit(held)
        else:
            self.pool.observer.rule(held, met, "a judge")

    @rule(seconds=st.integers(1, 400))
    def time_passes(self, seconds):
        self.now += seconds

    @invariant()
    def only_a_true_state_closes_an_account(self):
        if not hasattr(self, "pool"):
            return
        for one in self.well():
            held = self.pool.accounts[one]
            limit = held.health.limit
            was_true = limit is None or limit.until <= self.now
            assert held.health.takes_requests(self.now) or not was_true
            assert self.pool.verdicts.base(held).edge_until <= self.now
            assert held.serves("m", self.now)

    @invariant()
    def no_lease_leaks(self):
        if hasattr(self, "pool"):
            assert all(one.in_flight == 0 for one in self.pool.accounts.values())


JudgementMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestJudgement = JudgementMachine.TestCase


def test_two_hundred_keys_in_five_minutes_of_503_cost_upstream_little_more():
    """Each asks every six seconds; upstream sees at most 1.2 times what they send."""
    machine = JudgementMachine()
    machine.begin(1)
    attempts = 0

    def count(_):
        nonlocal attempts
        attempts += 1
        return failure(503, body=b"{}")

    sent = 0
    for second in range(300):
        machine.now += 1.0
        for key in range(second % 6, 200, 6):
            sent += 1
            machine.turn(1_000 + key, "s", count)
    machine.teardown()
    assert sent == 10_000
    assert attempts <= 1.2 * sent
