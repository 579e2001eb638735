"""Guesses wait ever longer, and for nobody's sake for ever."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sign_in.delays import (
    FORGOTTEN_AFTER,
    LONGEST_GUESS_WAIT,
    Delays,
    Failures,
    SignInTooSoon,
    hour_after_ten,
    wait_after,
)

A, B = ["address"], ["address", "account"]


def failed(delays, subjects, times, now=0.0):
    for _ in range(times):
        try:
            delays.count_guess(subjects, now)
        except SignInTooSoon as error:
            now += error.retry_after
            delays.count_guess(subjects, now)
    return now


def test_the_wait_doubles_from_a_second_to_half_a_minute():
    waits = [wait_after(Failures(count, 100.0), 100.0) for count in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert wait_after(None, 0.0) == 0


def test_ten_wrong_codes_are_taken_in_an_hour():
    delays = Delays()
    for second in range(10):
        delays.count_guess(B, second, hour_after_ten)
    for now in (9.0, 10.0, FORGOTTEN_AFTER):
        with pytest.raises(SignInTooSoon):
            delays.count_guess(A, now, hour_after_ten)
    delays.count_guess(["another"], 10.0, hour_after_ten)
    delays.count_guess(A, 9 + FORGOTTEN_AFTER, hour_after_ten)


def test_a_hundred_codes_at_once_are_ten_and_a_right_one_is_forgiven():
    delays, taken = Delays(), 0
    before = delays.count_guess(B, 5.0, hour_after_ten)
    delays.forgive(before)
    for _ in range(100):
        with suppress(SignInTooSoon):
            delays.count_guess(B, 5.0, hour_after_ten)
            taken += 1
    assert taken == 10


def test_a_guess_within_the_wait_lengthens_nothing():
    delays = Delays()
    now = failed(delays, A, 8)
    for _ in range(100):
        with pytest.raises(SignInTooSoon):
            delays.count_guess(A, now + 1)
    delays.count_guess(A, now + LONGEST_GUESS_WAIT)


def test_a_hundred_guesses_at_once_are_one():
    delays = Delays()
    delays.count_guess(B, 5.0)
    for _ in range(99):
        with pytest.raises(SignInTooSoon):
            delays.count_guess(B, 5.0)


def test_after_an_hour_all_is_forgotten():
    delays = Delays()
    now = failed(delays, B, 7) + FORGOTTEN_AFTER
    delays.count_guess(B, now)
    with pytest.raises(SignInTooSoon) as told:
        delays.count_guess(B, now)
    assert told.value.retry_after <= 2


def test_one_of_two_that_has_to_wait_keeps_the_other_uncounted():
    delays = Delays()
    delays.count_guess(A, 0.0)
    with pytest.raises(SignInTooSoon):
        delays.count_guess(B, 0.5)
    assert delays.counts(["account"]) == {"account": None}


def test_what_was_right_is_forgiven_and_what_was_wrong_before_is_not():
    delays = Delays()
    now = failed(delays, A, 3)
    held = delays.counts(A)
    delays.forgive(delays.count_guess(A, now + 10))
    assert delays.counts(A) == held


def test_a_right_guess_forgives_nobody_elses():
    delays = Delays()
    slow = delays.count_guess(A, 0.0)  # is still being checked
    delays.count_guess(A, 2.0)
    delays.forgive(slow)
    assert delays.counts(A) == {"address": Failures(1, 2.0)}


def test_memory_is_bounded_and_keeps_who_guessed_most():
    delays = Delays(most=3)
    now = failed(delays, ["worst"], 5)
    for n in range(20):
        delays.count_guess([f"one{n}"], now + n)
    gone = delays.drop_surplus(now + 20)
    assert len(gone) == 18
    assert delays.counts(["worst"])["worst"].guesses == 5


def test_a_clock_that_was_set_back_locks_nobody_out():
    delays = Delays()
    delays.learn({"address": Failures(50, 10_000.0)})
    delays.count_guess(A, 100.0)


@pytest.mark.parametrize(("waits", "wait"), [(wait_after, 8), (hour_after_ten, 3605)])
def test_a_member_s_clock_that_is_ahead_makes_nobody_guess_sooner(waits, wait):
    count = 4 if waits is wait_after else 10
    assert waits(Failures(count, 105.0), 100.0) == wait


@given(
    st.lists(
        st.tuples(
            st.sampled_from([A, B, ["account"]]), st.floats(0, 100), st.booleans()
        )
    )
)
def test_whatever_is_guessed_the_next_wait_is_short(guesses):
    delays, now, waits = Delays(), 0.0, []
    for subjects, pause, is_right in guesses:
        now += pause
        try:
            before = delays.count_guess(subjects, now)
        except SignInTooSoon as error:
            waits.append(error.retry_after)
            continue
        if is_right:
            delays.forgive(before)
            assert delays.counts(subjects) == before
    assert all(1 <= wait <= LONGEST_GUESS_WAIT + 1 for wait in waits)
    delays.count_guess(B, now + LONGEST_GUESS_WAIT)
