"""What one client met is remembered for that client only, and within bounds."""

import pytest

from gateway.accounts.suspicion import (
    FIRST_SECONDS,
    INNER_WAIT_SECONDS,
    LONGEST_ASKED_SECONDS,
    LONGEST_SECONDS,
    MAX_SUSPICIONS,
    Suspicions,
)

NOW = 1_800_000_000.0


@pytest.fixture
def suspicions():
    return Suspicions()


def test_a_suspicion_is_its_clients_and_its_models_own(suspicions):
    suspicions.suspect(1, 7, "m", NOW)
    assert suspicions.until(1, 7, "m", NOW) == NOW + FIRST_SECONDS
    for other in ((2, 7, "m"), (1, 8, "m"), (1, 7, "other"), ("10.0.0.1", 7, "m")):
        assert suspicions.until(*other, NOW) is None
    assert suspicions.until(1, 7, "m", NOW + FIRST_SECONDS) is None


def test_a_suspicion_of_a_clock_that_was_ahead_has_ended(suspicions):
    suspicions.suspect(1, 7, "m", NOW + 86_400)
    assert suspicions.until(1, 7, "m", NOW) is None


def test_it_doubles_up_to_a_bound_and_ends_with_a_success(suspicions):
    ends = []
    for _ in range(6):
        suspicions.suspect(1, 7, "m", NOW)
        ends.append(suspicions.until(1, 7, "m", NOW) - NOW)
    assert ends == [30, 60, 120, 240, LONGEST_SECONDS, LONGEST_SECONDS]
    suspicions.acquit(1, 7, "m")
    assert suspicions.until(1, 7, "m", NOW) is None
    suspicions.suspect(1, 7, "m", NOW)
    assert suspicions.until(1, 7, "m", NOW) == NOW + FIRST_SECONDS


@pytest.mark.parametrize(
    ("asked", "seconds"), [(1.5, 1.5), (0.0, 30), (1e9, LONGEST_ASKED_SECONDS)]
)
def test_upstream_says_for_how_long(suspicions, asked, seconds):
    suspicions.suspect(1, 7, None, NOW, asked)
    assert suspicions.until(1, 7, None, NOW) == NOW + seconds


def test_one_client_pushes_out_its_own_only(suspicions):
    suspicions.suspect(2, 7, "m", NOW)
    for number in range(3 * MAX_SUSPICIONS):
        suspicions.suspect(1, number, f"m{number}", NOW)
    assert suspicions.until(1, 0, "m0", NOW) is None
    assert suspicions.until(2, 7, "m", NOW) is not None


def test_clients_are_bounded_and_the_longest_silent_goes(suspicions):
    for number in range(10_001):
        suspicions.count_request(number, NOW + number)
    suspicions.suspect(5, 7, "m", NOW)
    assert suspicions.until(5, 7, "m", NOW) is not None
    assert len(suspicions._clients) == 10_000


def test_who_is_alone(suspicions):
    suspicions.count_request(1, NOW)
    assert suspicions.is_alone(1, NOW)
    suspicions.count_request(2, NOW)
    assert not suspicions.is_alone(1, NOW)
    assert not suspicions.is_alone(2, NOW)
    suspicions.count_request(1, NOW + 700)
    assert suspicions.is_alone(1, NOW + 700)


def test_a_vain_wait_is_the_last_for_a_while(suspicions):
    assert suspicions.may_wait(1, "m", NOW)
    suspicions.note_vain_wait(1, "m", NOW)
    assert not suspicions.may_wait(1, "m", NOW + 1)
    assert suspicions.may_wait(2, "m", NOW + 1)
    assert suspicions.may_wait(1, "other", NOW + 1)
    assert suspicions.may_wait(1, "m", NOW + INNER_WAIT_SECONDS)
    suspicions.acquit(1, 7, "m")
    assert suspicions.may_wait(1, "m", NOW + 1)
