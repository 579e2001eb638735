"""The chain of refresh tokens against a model: what is good, what a copy's use."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.oauth.rotation import (
    GRACE_SECONDS,
    MOST_SPENT,
    Chain,
    Verdict,
    judge,
    note_used,
    rotated,
)


def test_a_lost_answer_is_given_again():
    chain = rotated(Chain("r0"), "r1", 0.0)
    assert judge(chain, "r0", 1e9) == (Verdict.REPEAT, 1)


@pytest.mark.parametrize("use", ["access token", "refresh token"])
def test_the_old_token_is_good_until_half_a_minute_after_its_successors_use(use):
    chain = rotated(Chain("r0"), "r1", 0.0)
    if use == "access token":
        chain = note_used(chain, 1, 100.0)
    else:
        chain = rotated(chain, "r2", 100.0)
    assert judge(chain, "r0", 129.9) == (Verdict.REPEAT, 1)
    assert judge(chain, "r0", 130.0)[0] is Verdict.REUSE


def test_an_access_token_of_the_old_tokens_own_ends_nothing():
    chain = rotated(Chain("r0"), "r1", 0.0)
    assert note_used(chain, 0, 1.0) == chain


def test_who_refreshes_all_the_time_loses_the_oldest():
    chain = Chain("r0")
    for number in range(MOST_SPENT + 1):
        chain = rotated(chain, f"r{number + 1}", 0.0)
    assert len(chain.spent) == MOST_SPENT
    assert judge(chain, "r0", 0.0)[0] is Verdict.REUSE


class Rotation(RuleBasedStateMachine):
    """The model has for each token when its successor was used first."""

    def __init__(self):
        super().__init__()
        self.chain, self.now, self.is_over = Chain("r0"), 0.0, False
        self.issued = 1  # tokens there are
        self.used_at = {}  # of a successor or of an access token issued with it

    @rule(seconds=st.sampled_from([0.0, 1.0, 29.0, 30.0, 31.0, 600.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(back=st.integers(0, 4))
    def refresh(self, back):
        number = self.issued - 1 - back
        if number < 0 or self.is_over:
            return
        verdict, generation = judge(self.chain, f"r{number}", self.now)
        successor_used = self.used_at.get(number + 1)
        if back == 0:
            assert (verdict, generation) == (Verdict.ROTATE, number + 1)
            self.used_at.setdefault(number, self.now)
            self.chain = rotated(self.chain, f"r{number + 1}", self.now)
            self.issued += 1
        elif successor_used is None or self.now < successor_used + GRACE_SECONDS:
            assert (verdict, generation) == (Verdict.REPEAT, number + 1)
        else:
            assert verdict is Verdict.REUSE
            self.is_over = True

    @rule(back=st.integers(0, 3))
    def use_access_token(self, back):
        number = self.issued - 1 - back
        if number >= 0:
            self.used_at.setdefault(number, self.now)
            self.chain = note_used(self.chain, number, self.now)

    @invariant()
    def the_current_token_is_always_good(self):
        current = judge(self.chain, self.chain.current, self.now)
        assert current == (Verdict.ROTATE, self.issued)

    @invariant()
    def a_stranger_s_is_a_copy(self):
        assert judge(self.chain, "x", self.now)[0] is Verdict.REUSE


TestRotation = Rotation.TestCase
TestRotation.settings = settings(max_examples=60, stateful_step_count=25)
