"""Repetitions cost a budget, in equal shares for those who are active."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.failover.decision import (
    Elsewhere,
    GiveUp,
    RetryBudget,
    RetryHere,
    WaitOut,
)

PAID = RetryHere(0.2, costs_budget=True)


def test_budget_is_a_tenth_of_a_minute_and_never_below_three():
    budget = RetryBudget()
    budget.count(1, 0.0)
    assert [budget.allow(PAID, 1, 0.0) for _ in range(3)] == [PAID] * 3
    assert isinstance(budget.allow(PAID, 1, 1.0), GiveUp)
    assert budget.refused == 1
    for _ in range(99):
        budget.count(1, 2.0)
    assert [budget.allow(PAID, 1, 3.0) for _ in range(7)] == [PAID] * 7
    assert isinstance(budget.allow(PAID, 1, 3.0), GiveUp)
    assert budget.allow(PAID, 1, 63.5) == PAID


def test_one_client_cannot_spend_the_budget_of_another():
    budget = RetryBudget()
    for client in ("a", "b"):
        budget.count(client, 0.0)
    assert [budget.allow(PAID, "a", 0.0) for _ in range(3)] == [PAID] * 3
    assert isinstance(budget.allow(PAID, "a", 0.0), GiveUp)
    assert budget.allow(PAID, "b", 0.0) == PAID
    assert isinstance(budget.allow(PAID, "b", 0.0), GiveUp)
    # Alone again, all of it is its own.
    budget.count("a", 90.0)
    assert [budget.allow(PAID, "a", 90.0) for _ in range(3)] == [PAID] * 3


def test_who_sends_much_may_use_what_others_leave():
    budget = RetryBudget()
    for client in ["busy"] * 300 + ["a", "b", "c"]:
        budget.count(client, 0.0)
    assert [budget.allow(PAID, "busy", 0.0) for _ in range(30)] == [PAID] * 30
    assert isinstance(budget.allow(PAID, "busy", 0.0), GiveUp)
    for client in "abc":  # whose shares are still theirs
        assert [budget.allow(PAID, client, 0.0) for _ in range(7)] == [PAID] * 7


def test_who_comes_later_finds_its_share():
    budget = RetryBudget()
    budget.count("a", 0.0)
    assert [budget.allow(PAID, "a", 0.0) for _ in range(3)] == [PAID] * 3
    budget.count("b", 1.0)
    assert budget.allow(PAID, "b", 1.0) == PAID
    for late in "cdefg":
        budget.count(late, 2.0)
        budget.allow(PAID, late, 2.0)
    assert len(budget._repeats) <= 6


def test_what_one_spent_leaves_with_the_requests_it_was_spent_for():
    """Requests that upstream lets hang would else take the next minute's, too."""
    budget = RetryBudget()
    for _ in range(1_000):
        budget.count("a", 0.0)
    budget.count("a", 40.0)
    assert budget.allow(PAID, "a", 45.0, elapsed=5.0) == PAID
    paid = [budget.allow(PAID, "a", 50.0, elapsed=50.0) for _ in range(99)]
    assert paid == [PAID] * 99
    budget.count("b", 61.0)
    assert budget.allow(PAID, "b", 61.0) == PAID


def test_what_costs_no_budget_is_always_allowed():
    budget = RetryBudget()
    for free in (Elsewhere(), WaitOut(1.0), RetryHere(0.0, asks_judge=True)):
        assert [budget.allow(free, 1, 0.0) for _ in range(20)] == [free] * 20


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from("abc"), st.floats(0, 30)),
        max_size=200,
    )
)
def test_budget_holds_in_every_minute(steps):
    budget, now, begun, repeated = RetryBudget(), 0.0, [], []
    for is_request, client, pause in steps:
        now += pause
        if is_request:
            budget.count(client, now)
            begun.append(now)
        elif budget.allow(PAID, client, now) == PAID:
            repeated.append(now)
            recent = sum(at > now - 60 for at in begun)
            assert sum(at > now - 60 for at in repeated) <= 2 * max(3, recent // 10)
