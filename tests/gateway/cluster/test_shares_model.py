"""What members grant each other of one limit, whatever happens to them in between."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.cluster.shares import Grant, ResourceRows, decide_share
from gateway.keys.shared.share import NOTHING_GRANTED, Holding, Resource, Share

LIMIT = Resource("limit:1", 60)


@dataclass(eq=False)
class Process:
    """A member as the limiter sees it: one counter, and a line."""

    id: int
    share: Share | None
    own: int = 0
    elsewhere: int = 0  # used, as last told
    running: list[int] = field(default_factory=list)
    line: list[tuple[int, int]] = field(default_factory=list)  # amount, since when
    asked: int | None = None  # since when others wait
    is_paused: bool = False
    is_killed: bool = False

    @property
    def held(self):
        return sum(self.running)


class Members(RuleBasedStateMachine):
    """`slack`: what deaths may cost, as nobody could know it."""

    everyone = ()

    @initialize(maximum=st.integers(1, 40))
    def begin(self, maximum):
        self.maximum = maximum
        self.now = self.numbers = 0
        self.slack = self.past = self.overhang = 0
        self.rows, self.asks, self.ended = {}, {}, set()
        self.everyone = []
        self.add()

    # What is true, whatever anybody knows.

    def truly_used(self):
        return sum(one.own for one in self.everyone)

    def truly_running(self):
        return sum(one.held for one in self.everyone if not one.is_killed)

    def living(self):
        return [one for one in self.everyone if one.id not in self.ended]

    def acting(self):
        return [one for one in self.living() if not one.is_paused and not one.is_killed]

    def choose(self, data):
        return data.draw(st.sampled_from(self.acting()))

    # What happens.

    def add(self):
        self.numbers += 1
        others = self.living()
        for one in others:
            if one.share is None:  # it keeps what is in hand, and says so
                one.share = Share(one.own + one.held)
                self.write(one)
        member = Process(self.numbers, NOTHING_GRANTED if others else None)
        member.elsewhere = self.past + sum(
            row.used + (row.held if row.is_ended else 0) for row in self.rows.values()
        )
        self.everyone.append(member)

    @precondition(lambda self: len(self.acting()) == len(self.living()) < 4)
    @rule()
    def join(self):
        self.add()

    @precondition(lambda self: self.acting())
    @rule(data=st.data(), amount=st.integers(1, 12))
    def start(self, data, amount):
        member = self.choose(data)
        self.now += 1
        member.line.append((amount, self.now))
        self.serve(member, is_new=True)

    @precondition(lambda self: any(one.running for one in self.acting()))
    @rule(data=st.data())
    def settle(self, data):
        member = data.draw(
            st.sampled_from([one for one in self.acting() if one.running])
        )
        held = member.running.pop(0)
        member.own += data.draw(st.integers(0, held))
        self.serve(member)

    @precondition(lambda self: self.acting())
    @rule(
        data=st.data(), outcome=st.sampled_from(["told", "told", "unclear", "failed"])
    )
    def exchange(self, data, outcome):
        self.exchange_of(self.choose(data), outcome)

    @precondition(lambda self: self.acting())
    @rule(data=st.data(), is_killed=st.booleans())
    def fall_silent(self, data, is_killed):
        member = self.choose(data)
        member.is_paused = not is_killed
        member.is_killed = is_killed

    @precondition(lambda self: len(self.living()) > len(self.acting()))
    @rule(data=st.data())
    def take_over(self, data):
        """The others are sure of one that is silent: it is no member any more."""
        silent = [one for one in self.living() if one not in self.acting()]
        member = data.draw(st.sampled_from(silent))
        self.ended.add(member.id)
        self.asks.pop(member.id, None)
        row = self.rows.get(member.id)
        written = row.used + row.held if row else 0
        self.slack += max(0, member.own + member.held - written)
        if row is not None:
            self.rows[member.id] = row._replace(granted=written, is_ended=True)
        if not self.living():
            self.add()

    @precondition(lambda self: any(one.is_paused for one in self.everyone))
    @rule(data=st.data())
    def come_back(self, data):
        paused = [one for one in self.everyone if one.is_paused]
        member = data.draw(st.sampled_from(paused))
        member.is_paused = False
        if member.id in self.ended:
            if len(self.acting()) != len(self.living()):
                member.is_paused = True  # who is silent has not heard of it yet
                return
            member.share = Share(member.own + member.held)
            self.ended.discard(member.id)
            for one in self.acting():
                if one.share is None:
                    one.share = Share(one.own + one.held)
                self.write(one)

    @precondition(
        lambda self: any(not one.running for one in self.acting())
        and len(self.living()) > 1
    )
    @rule(data=st.data())
    def leave(self, data):
        idle = [one for one in self.acting() if not one.running]
        member = data.draw(st.sampled_from(idle))
        self.exchange_of(member, "told")
        if member.running:
            return
        self.past += member.own
        self.rows.pop(member.id, None)
        self.asks.pop(member.id, None)
        self.ended.add(member.id)
        member.line.clear()

    @precondition(lambda self: len(self.living()) == len(self.acting()) == 1)
    @rule()
    def go_on_alone(self):
        (member,) = self.living()
        self.write(member)
        others = [row for row in self.rows.values() if row.member != member.id]
        used = sum(row.used for row in others)
        lost = sum(row.held for row in others)
        member.share, member.elsewhere = None, self.past + used + lost
        member.asked = None
        self.serve(member)

    @rule()
    def begin_a_window(self):
        self.rows, self.asks = {}, {}
        self.past = self.slack = self.overhang = 0
        for one in self.everyone:
            one.own = one.elsewhere = 0
            one.running = []
            if one.share is not None:
                one.share, one.asked = NOTHING_GRANTED, None
        self.everyone = [one for one in self.everyone if one.id not in self.ended]

    @precondition(lambda self: len(self.living()) == len(self.acting()))
    @rule()
    def wait_for_a_while(self):
        """When all that runs has ended, nobody waits who need not be refused."""
        for _ in range(40):
            for one in self.living():
                while one.running:
                    one.own += one.running.pop()
                self.exchange_of(one, "told")
        lost = sum(row.held for row in self.rows.values() if row.is_ended)
        waits = [one for one in self.living() if one.line]
        assert not waits or self.truly_told() + lost >= self.maximum

    def truly_told(self):
        return self.past + sum(row.used for row in self.rows.values())

    # As the limiter and the members' loop do it.

    def serve(self, member, is_new=False):
        while member.line:
            amount, since = member.line[-1 if is_new else 0]
            if is_new and len(member.line) > 1:
                return
            if not self.fits(member, amount, since):
                return
            total = self.truly_used() + self.lost() + self.truly_running()
            most = self.maximum + self.slack
            is_first = not any(one.held for one in self.living()) and total < most
            assert is_first or total + amount <= most
            self.overhang = max(self.overhang, total + amount - most)
            member.line.pop(-1 if is_new else 0)
            member.running.append(amount)

    def lost(self):
        """What the killed held, as far as it was written."""
        return sum(
            min(one.held, self.rows[one.id].held if one.id in self.rows else 0)
            for one in self.everyone
            if one.is_killed
        )

    def fits(self, member, amount, since):
        if member.share is None:
            left = self.maximum - member.own - member.elsewhere
            return amount <= left - member.held if member.running else left > 0
        if member.asked is not None and since > member.asked:
            return False
        known = member.own + member.share.used + member.share.lost + member.held
        if member.share.is_sole and not member.running:
            return member.own < member.share.granted and known < self.maximum
        if known + amount > self.maximum:
            return False
        return member.own + member.held + amount <= member.share.granted

    def exchange_of(self, member, outcome):
        if member.share is None:
            self.write(member)
            self.serve(member)
            return
        want, since = member.line[0] if member.line else (0, self.now)
        is_frozen = member.asked is not None
        if is_frozen:
            granted = min(member.share.granted, member.own + member.held)
            member.share = member.share._replace(granted=granted, is_sole=False)
        rows = [
            row._replace(is_ended=row.member in self.ended)
            for row in self.rows.values()
        ]
        wanted = Holding(LIMIT, self.maximum, member.own, member.held, want)
        wanted = wanted._replace(is_frozen=is_frozen)
        held = ResourceRows(rows, list(self.asks.values()), self.past)
        decided = decide_share(member.id, wanted, held, since)
        if outcome != "failed":
            self.rows[member.id] = decided.grant
            self.asks.pop(member.id, None)
            if decided.ask is not None:
                self.asks[member.id] = decided.ask
        if outcome == "told":
            member.share = decided.share
            others = [
                ask.since for ask in self.asks.values() if ask.member != member.id
            ]
            member.asked = min(others, default=None)
            self.serve(member)

    def write(self, member):
        """Alone, or as others join: what is granted stays as it is written."""
        row = self.rows.get(member.id)
        floor = member.own + member.held
        granted = row.granted if row else floor
        self.rows[member.id] = Grant(member.id, granted, member.own, member.held)

    @invariant()
    def the_maximum_is_kept(self):
        """But for one turn that was larger than all that was left."""
        if self.everyone:
            total = self.truly_used() + self.lost() + self.truly_running()
            assert total <= self.maximum + self.slack + self.overhang


Members.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestMembers = Members.TestCase
