"""The pool's windows as the client shows them."""

import pytest

from gateway.accounts.account import Account
from gateway.protocol.facts import Window
from handlers.api.codex_status import NEUTRAL, pool_windows, usage_body

NOW = 1_000.0
WEEK = 10_080


def account(id, *windows):
    made = Account(id, f"a{id}")
    made.record_windows(windows, NOW)
    return made


def primary(used, minutes, resets_at=2_000.0):
    return Window("primary", used, minutes, resets_at)


def secondary(used, minutes, resets_at=3_000.0):
    return Window("secondary", used, minutes, resets_at)


@pytest.mark.parametrize(
    "windows",
    [
        (primary(10.0, 300), secondary(20.0, WEEK)),
        (primary(10.0, WEEK),),
        (primary(10.0, WEEK), secondary(20.0, 300)),
        (primary(10.0, 43_200), secondary(20.0, 1_440)),
        (primary(10.0, None),),
    ],
)
def test_one_account_s_windows_are_shown_as_they_are(windows):
    assert pool_windows([account(1, *windows)], NOW) == windows


def test_windows_of_one_length_are_averaged_wherever_they_stand():
    both = account(1, primary(10.0, 300), secondary(20.0, WEEK))
    weekly = account(2, primary(60.0, WEEK, 1_500.0))
    expected = (primary(10.0, 300), secondary(40.0, WEEK, 1_500.0))
    assert pool_windows([both, weekly], NOW) == expected
    assert pool_windows([weekly, both], NOW) == expected


def test_of_more_lengths_those_are_shown_that_most_accounts_have():
    usual = (primary(10.0, 300), secondary(20.0, WEEK))
    accounts = [
        account(1, primary(90.0, 43_200)),
        *(account(i, *usual) for i in (2, 3)),
    ]
    assert pool_windows(accounts, NOW) == usual


def test_without_any_window_nobody_s_numbers_are_shown():
    assert pool_windows([account(1)], NOW) == NEUTRAL


def test_a_window_keeps_its_length_and_a_missing_one_is_null():
    limit = usage_body([primary(10.0, WEEK)], "pro", NOW)["rate_limit"]
    assert limit["primary_window"]["limit_window_seconds"] == WEEK * 60
    assert limit["secondary_window"] is None


def test_an_unknown_length_is_not_made_up():
    limit = usage_body([primary(10.0, None)], "pro", NOW)["rate_limit"]
    assert limit["primary_window"]["limit_window_seconds"] == 0
    assert limit["primary_window"]["reset_at"] == 2_000
