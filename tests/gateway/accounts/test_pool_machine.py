"""The pool under random limits, outages, refreshes and restarts.

Invariants: no request goes to an account that cannot serve it, no conversation is
on two accounts without a cause, no lease leaks, line and bindings stay bounded.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    invariant,
    multiple,
    rule,
)

from gateway.accounts.account import Account, Credentials
from gateway.accounts.eligibility import Demand
from gateway.accounts.strategies import STRATEGIES
from gateway.accounts.wait_queue import LONGEST_QUEUE
from gateway.failover.decision import (
    Attempt,
    Elsewhere,
    GiveUp,
    RetryHere,
    WaitOut,
    decide,
)
from gateway.protocol.facts import Affinity, Catalogue, Window
from gateway.secret import Secret
from tests.gateway.accounts.pool_model import (
    MODELS,
    PoolModel,
    demands,
    faults,
    numbers,
    seconds,
)
from tests.gateway.accounts.pools import cool


class PoolMachine(PoolModel):
    leases = Bundle("leases")

    @rule(wishes=st.lists(demands, min_size=1, max_size=4))
    def turns_come_and_are_answered(self, wishes):
        for wish in wishes:
            lease = self.begin_turn(wish)
            if lease is not None:
                self.note_answer(lease)
                self.responses += 1
                self.pool.observer.bind(lease, response_id=f"r{self.responses}")
                self.finish(lease)
                self.turn()

    @rule(target=leases, wishes=st.lists(demands, min_size=1, max_size=4))
    def turns_come_and_go_on(self, wishes):
        begun = [self.begin_turn(wish) for wish in wishes]
        return multiple(*(lease for lease in begun if lease is not None))

    def begin_turn(self, wish):
        response_id = f"r{self.responses}" if wish["follows"] else None
        demand = Demand(
            model=wish["model"],
            websocket=wish["websocket"],
            key_id=wish["key"],
            affinity=Affinity(
                previous_response_id=response_id,
                session_id=wish["session"] or None,
            ),
        )
        self.budget.count(demand.sender, self.now)
        self.asked.append(self.now)
        lease = self.ask(demand)
        self.turn()
        return lease

    @rule(lease=consumes(leases))
    def answer(self, lease):
        if lease in self.held:
            self.note_answer(lease)
            self.finish(lease)
            self.turn()

    @rule(lease=consumes(leases))
    def client_leaves(self, lease):
        self.finish(lease)
        self.turn()

    @rule(number=numbers, lease=consumes(leases))
    def waiting_client_leaves_as_its_turn_comes(self, number, lease):
        self.finish(lease)
        for task, _ in self.waiting[number % 3 :]:
            task.cancel()
        self.turn()

    @rule(target=leases, lease=consumes(leases), failure=faults)
    def fail(self, lease, failure):
        """A request fails and goes on as the table says, to its end or an answer."""
        if lease not in self.held:
            return multiple()  # it ended with its process
        self.pool.observer.failure(lease, failure)
        self.turn()
        left = self.pool.count_eligible(lease.demand, frozenset({lease.account.id}))
        decision = decide(failure, Attempt(accounts_left=left))
        allowed = self.budget.allow(decision, lease.demand.sender, self.now)
        if allowed is decision and getattr(decision, "costs_budget", False):
            self.repeated.append(self.now)
            repeats = sum(at > self.now - 60 for at in self.repeated)
            asked = sum(at > self.now - 60 for at in self.asked)
            # What one takes of others' shares is still there for them.
            assert repeats <= 2 * max(3, asked // 10)
        decision = allowed
        match decision:
            case RetryHere() | WaitOut():
                return lease
            case GiveUp():
                self.finish(lease)
                self.turn()
                return multiple()
            case Elsewhere():
                excluded = lease.demand.excluded | {lease.account.id}
                self.finish(lease)
                self.turn()
                again = Demand(
                    model=lease.demand.model,
                    websocket=lease.demand.websocket,
                    key_id=lease.demand.key_id,
                    affinity=lease.demand.affinity,
                    excluded=excluded,
                )
                found = self.ask(again)
                self.turn()
                return multiple() if found is None else found

    @rule(number=numbers, failure=faults)
    def a_judge_speaks(self, number, failure):
        account = self.account(number)
        if account is not None:
            self.pool.observer.rule(account, failure, "a judge")
            self.turn()

    @rule(number=numbers)
    def a_judge_acquits(self, number):
        account = self.account(number)
        if account is not None:
            self.pool.observer.acquit(account)
            self.turn()

    @rule(pause=seconds(400))
    def time_passes(self, pause):
        self.now += pause
        self.pool.serve_queue()
        self.turn()

    @rule(number=numbers, used=st.sampled_from([0, 50, 96, 100]), resets=seconds(600))
    def windows_are_told(self, number, used, resets):
        account = self.account(number)
        if account is not None:
            window = Window("secondary", float(used), 10_080, self.now + resets)
            self.pool.observer.windows(account, [window])
            self.turn()

    @rule(number=numbers, what=st.sampled_from(["pause", "resume", "remove"]))
    def operator_acts(self, number, what):
        account = self.account(number)
        if account is None:
            return
        if what == "pause":
            account.health.pause()
        elif what == "resume":
            account.health.resume()
        else:
            del self.rows[account.id]
            self.reload()
        self.pool.serve_queue()
        self.turn()

    @rule(number=numbers, pause=seconds(200), limit=st.booleans())
    def upstream_turns_an_account_away(self, number, pause, limit):
        account = self.account(number)
        if account is None:
            return
        if limit:
            account.health.set_limit(self.now, "primary", self.now + pause)
        else:
            cool(account, self.now, pause)
        self.pool.serve_queue()
        self.turn()

    @rule(number=numbers)
    def owner_logs_in_again(self, number):
        account = self.account(number)
        if account is not None:
            self.rows[account.id]["credentials"] = Credentials(
                refresh_token=Secret(f"r{self.now}"), expires_at=self.now
            )
            self.reload()

    @rule(number=numbers, models=st.sets(st.sampled_from(MODELS)))
    def catalogue_is_fetched(self, number, models):
        account = self.account(number)
        if account is not None:
            account.catalogue = Catalogue(frozenset(models)) if models else None
            self.pool.serve_queue()
            self.turn()

    @rule(data=st.data())
    def operator_adds(self, data):
        if len(self.rows) < 20:
            self.rows[self.next_id] = self.row(self.next_id, data)
            self.next_id += 1
            self.reload()

    @rule(strategy=st.sampled_from(STRATEGIES))
    def operator_switches_strategy(self, strategy):
        self.pool.strategy = strategy

    @rule()
    def restart(self):
        """Requests end with the process; bindings come back from the database."""
        self.end_all()
        rows = []
        while batch := self.pool.bindings.dirty():
            rows += batch
        self.stored = {**getattr(self, "stored", {}), **{row.key: row for row in rows}}
        self.pool = self.fresh_pool()
        self.pool.bindings.restore(
            sorted(self.stored.values(), key=lambda row: row.used_at), self.now
        )
        self.served.clear()  # what is home again is not known to have moved

    def reload(self):
        """The database was changed; live facts stay."""
        stored = []
        for row in self.rows.values():
            account = Account(**row)
            held = self.pool.accounts.get(account.id)
            account.health.paused = held is not None and held.health.paused
            stored.append(account)
        self.pool.replace(stored)
        self.turn()

    @invariant()
    def no_lease_leaks(self):
        if not hasattr(self, "pool"):
            return
        for account in self.pool.accounts.values():
            held = sum(one is account for one in self.held.values())
            assert account.in_flight == held

    @invariant()
    def bounds_are_kept(self):
        if not hasattr(self, "pool"):
            return
        assert self.pool.waiting == len(self.waiting) <= LONGEST_QUEUE
        assert len(self.pool.bindings) <= 100_000

    @invariant()
    def nobody_waits_in_vain(self):
        """Whoever waits waits for an account that is about to be free, or back."""
        if not hasattr(self, "pool"):
            return
        for _, demand in self.waiting:
            # A conversation may hold out for its own account.
            assert demand.affinity != Affinity() or not self.able(demand)
            assert any(
                account.in_flight or self.is_back_soon(account)
                for account in self.pool.accounts.values()
            )

    @invariant()
    def a_trial_has_its_probe(self):
        if not hasattr(self, "pool"):
            return
        for account in self.pool.accounts.values():
            if account.health.on_trial and account.health.trial_running:
                probes = [one for one in self.held if one.is_trial]
                # A second one, when the first has hung for a while.
                assert [one.account for one in probes].count(account) >= 1

    @invariant()
    def every_switch_has_its_cause(self):
        if hasattr(self, "pool"):
            assert all(self.pool.observer.switches)


PoolMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestPool = PoolMachine.TestCase
