"""What one client met is remembered for that client only, and within bounds."""

import pytest

from gateway.accounts.suspicion import (
    FIRST_SECONDS,
    INNER_WAIT_SECONDS,
    LONGEST_ASKED_SECONDS,
    LONGEST_SECONDS,
    MAX_SUSPICIONS,
    Suspicions,
    Witness,
    Witnesses,
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


def agree(witnesses, client, conversation, now=NOW, *, is_alone=False):
    witness = Witness(client, conversation)
    return witnesses.agree("x", witness, now, within=10, is_alone=is_alone)


def test_two_clients_agree_and_one_never_does():
    witnesses = Witnesses()
    for number in range(9):
        assert not agree(witnesses, 1, f"c{number}")
    assert agree(witnesses, 2, "c")


def test_where_there_is_one_client_two_conversations_agree():
    witnesses = Witnesses()
    assert not agree(witnesses, 1, "a", is_alone=True)
    assert not agree(witnesses, 1, "a", is_alone=True)
    assert agree(witnesses, 1, "b", is_alone=True)


def test_what_is_old_or_was_followed_by_a_success_does_not_count():
    witnesses = Witnesses()
    agree(witnesses, 1, "a")
    assert not agree(witnesses, 2, "b", NOW + 11)
    witnesses.clear("x")
    assert not agree(witnesses, 1, "a", NOW + 12)


def test_different_failures_do_not_agree():
    witnesses = Witnesses()
    for client, kind in ((1, "refused"), (2, "server_error"), (1, "server_error")):
        found = witnesses.agree(
            "x", Witness(client), NOW, within=10, is_alone=False, kind=kind
        )
        assert found is (client == 1 and kind == "server_error")
