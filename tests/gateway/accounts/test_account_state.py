"""One account: what happens to it, and what it may do afterwards."""

import json

import pytest

from gateway.accounts.account import Account, Credentials
from gateway.accounts.health import AccountHealth, AccountStatus, Mark
from gateway.accounts.verdicts import BaseUrl
from gateway.protocol.facts import Catalogue, Window
from gateway.protocol.limit_windows import PolledUsage
from gateway.repository.account_state import restore, to_keep
from gateway.repository.description import describe_account
from gateway.secret import Secret
from tests.gateway.accounts.pools import cool

NOW = 1_800_000_000.0


@pytest.fixture
def account():
    return Account(id=1, name="a")


def status(account, later=0.0):
    return account.health.status(NOW + later)


def test_a_mark_of_a_clock_that_was_ahead_has_ended():
    state, ahead = AccountHealth(), NOW + 86_400
    state.set_mark(Mark("refused", "its usage", "broken", ahead, ahead + 30))
    assert state.status(ahead) is AccountStatus.COOLING
    assert state.status(NOW) is AccountStatus.ACTIVE
    state.set_mark(Mark("refused", "its usage", "broken", NOW, NOW + 30))
    assert state.until(NOW) == NOW + 30


def test_what_many_meet_while_a_mark_lasts_is_one_failure():
    """A minute without a token became ten: each of twenty requests doubled the next."""
    state = AccountHealth()
    for number in range(20):
        state.set_mark(Mark("refused", "two clients", "no", NOW + number, NOW + 60))
    assert state.next_pause() == 120
    state.set_mark(Mark("refused", "its usage", "no", NOW + 61, NOW + 181))
    assert state.next_pause() == 240


def test_facts_stand_side_by_side():
    state = AccountHealth()
    state.set_mark(Mark("refused", "its usage", "broken", NOW, NOW + 30))
    assert (state.status(NOW), state.until(NOW)) == (AccountStatus.COOLING, NOW + 30)
    state.set_limit(NOW, "primary", NOW + 100)
    assert (state.status(NOW), state.why(NOW)) == (
        AccountStatus.LIMITED,
        "primary limit, says its answer's headers",
    )
    state.require_login("refresh_token_expired")
    assert state.status(NOW) is AccountStatus.REAUTH_REQUIRED
    state.pause()
    assert (state.status(NOW), state.until(NOW)) == (AccountStatus.PAUSED, None)
    state.resume()
    assert state.status(NOW) is AccountStatus.REAUTH_REQUIRED
    state.logged_in()
    assert state.status(NOW) is AccountStatus.LIMITED
    assert state.status(NOW + 100) is AccountStatus.ACTIVE


def test_a_state_says_since_when_it_holds():
    state = AccountHealth()
    assert state.since(NOW) is None
    state.set_mark(Mark("refused", "its usage", "broken", NOW, NOW + 30))
    assert state.since(NOW + 1) == NOW
    state.set_limit(NOW + 1, "primary", NOW + 100)
    assert state.since(NOW + 2) == NOW + 1
    state.require_login("refresh_token_expired", "a judge", NOW + 2)
    state.require_login("refresh_token_expired", "a judge", NOW + 60)
    assert state.since(NOW + 61) == NOW + 2
    state.logged_in()
    state.require_login("refresh_token_expired", "a judge", NOW + 70)
    assert state.since(NOW + 71) == NOW + 70
    state.pause()
    assert state.since(NOW + 71) is None


def test_of_two_limits_the_later_end_counts():
    state = AccountHealth()
    state.set_limit(NOW, "secondary", NOW + 900)
    state.set_limit(NOW, "primary", NOW + 300)
    assert (state.limit.window, state.limit.until) == ("secondary", NOW + 900)


def test_success_that_began_before_the_trouble_proves_nothing(account):
    cool(account, NOW, 30)
    account.health.succeed(NOW - 1)
    assert status(account) is AccountStatus.COOLING
    account.health.succeed(NOW + 1)
    assert status(account) is AccountStatus.ACTIVE


def test_used_up_window_limits_until_its_reset_unless_there_are_credits(account):
    full = Window("secondary", 100.0, 10_080, NOW + 500)
    account.has_credits = True
    account.record_windows([full], NOW)
    assert status(account) is AccountStatus.ACTIVE
    account.has_credits = False
    account.record_windows([full], NOW)
    assert (status(account), account.health.until(NOW)) == (
        AccountStatus.LIMITED,
        NOW + 500,
    )


def test_window_is_empty_again_after_its_reset(account):
    account.record_windows([Window("secondary", 80.0, 10_080, NOW + 500)], NOW)
    assert account.weekly_left(NOW) == pytest.approx(0.2)
    assert account.weekly_left(NOW + 501) == 1.0


def test_polled_number_does_not_replace_a_newer_live_one(account):
    account.record_windows([Window("primary", 50.0, 300, NOW + 500)], NOW)
    polled = PolledUsage((Window("primary", 10.0, 300, NOW + 500),), is_limited=True)
    account.record_usage(polled, NOW - 1, NOW + 1)
    assert account.windows["primary"].window.used_percent == 50.0
    assert status(account) is AccountStatus.ACTIVE
    account.record_usage(polled, NOW + 1, NOW + 2)
    assert account.windows["primary"].window.used_percent == 10.0
    assert status(account, 2) is AccountStatus.LIMITED


def test_poll_ends_a_settled_limit_but_not_a_young_one(account):
    fine = PolledUsage((Window("primary", 0.0, 300, None),), "plus", is_limited=False)
    account.health.set_limit(NOW, "primary", NOW + 9_000)
    account.record_usage(fine, NOW + 10, NOW + 11)
    assert status(account, 11) is AccountStatus.LIMITED
    account.record_usage(fine, NOW + 70, NOW + 71)
    assert status(account, 71) is AccountStatus.ACTIVE
    assert account.plan == "plus"


def test_refusals_of_models_are_bounded(account):
    for number in range(200):
        account.refuse_model(f"m{number}", NOW)
    assert len(account.refused_models) <= 64
    assert not account.serves("m199", NOW)


def test_state_is_taken_up_after_a_restart(account):
    account.record_windows([Window("primary", 100.0, 300, NOW + 500)], NOW)
    account.health.note("broken", NOW)
    account.catalogue = Catalogue(frozenset({"m"}))
    assert describe_account(account, NOW + 5)["windows"][0]["age"] == 5
    kept = json.loads(to_keep(account, NOW + 5).detail)
    later = Account(id=1, name="a")
    restore(later, kept, NOW + 10)
    assert later.health.status(NOW + 10) is AccountStatus.LIMITED
    assert later.health.until(NOW + 10) == NOW + 500
    assert later.windows["primary"].window == account.windows["primary"].window
    assert later.health.last_error == account.health.last_error
    stale = Account(id=1, name="a")
    restore(stale, kept, NOW + 501)
    assert stale.health.status(NOW + 501) is AccountStatus.ACTIVE


@pytest.mark.parametrize("is_paused", [False, True])
def test_what_is_kept_hides_nothing(account, is_paused):
    """Neither a pause nor a lost login, which are looked at before the limit."""
    account.credentials = Credentials(Secret("at"), Secret("rt"))
    account.health.set_limit(NOW, "weekly", NOW + 500)
    account.health.require_login("refresh_token_expired", "the token endpoint", NOW)
    account.health.paused = is_paused
    kept = to_keep(account, NOW)
    assert kept.kind == "reauth_required"
    later = Account(id=1, name="a", credentials=account.credentials)
    restore(later, json.loads(kept.detail), NOW + 1)
    assert later.health.why(NOW + 1) == "refresh_token_expired, says the token endpoint"
    assert later.health.since(NOW + 1) == NOW
    later.health.logged_in()
    assert later.health.why(NOW + 1) == "weekly limit, says its answer's headers"
    assert later.health.limit == account.health.limit


def test_what_earlier_releases_kept_is_asked_about_anew():
    """They took any refusal for a limit, and any code for a lost login."""
    kept = {
        "limit": {"window": "rate", "since": NOW - 10, "until": NOW + 9_000},
        "login": {"reason": "account_deactivated", "of": Credentials().fingerprint},
    }
    account = Account(id=1, name="a")
    restore(account, kept, NOW)
    assert not account.health.limit.is_confirmed
    assert not account.health.login_by
    account.health.logged_in()
    fine = PolledUsage((Window("primary", 0.0, 300, None),), "plus", is_limited=False)
    account.record_usage(fine, NOW, NOW + 1)
    assert account.health.until(NOW + 1) == NOW + 50


def test_a_lost_login_is_not_that_of_other_tokens(account):
    account.credentials = Credentials(Secret("at"), Secret("rt"))
    account.health.require_login("refresh_token_expired")
    kept = json.loads(to_keep(account, NOW).detail)
    for tokens in (("at2", "rt"), ("at", "rt2")):
        later = Account(id=1, name="a", credentials=Credentials(*map(Secret, tokens)))
        restore(later, kept, NOW)
        assert status(later) is AccountStatus.ACTIVE


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"windows": 3, "limit": 3, "login": "x"},
        {"windows": [3, {}], "limit": {"until": "x"}, "login": {"of": None}},
    ],
)
def test_anything_may_be_in_the_database(account, told):
    restore(account, told, NOW)
    assert status(account) is AccountStatus.ACTIVE


def used_up(resets_at=NOW + 900):
    return Window("primary", 100.0, 300, resets_at)


@pytest.mark.parametrize("has_credits", [True, False])
def test_credits_go_on_beyond_a_used_up_window(account, has_credits):
    account.has_credits = has_credits
    account.record_windows([used_up()], NOW)
    limited = AccountStatus.ACTIVE if has_credits else AccountStatus.LIMITED
    assert status(account) is limited


@pytest.mark.parametrize("has_credits", [True, False])
def test_a_polled_limit_holds_unless_there_are_credits(account, has_credits):
    usage = PolledUsage((used_up(),), None, is_limited=True, has_credits=has_credits)
    account.record_usage(usage, NOW - 1, NOW)
    limited = AccountStatus.ACTIVE if has_credits else AccountStatus.LIMITED
    assert status(account) is limited
    assert account.has_credits is has_credits


def test_credits_alone_lift_no_limit(account):
    account.health.set_limit(NOW - 3600, "primary", NOW + 900)
    usage = PolledUsage((used_up(),), None, is_limited=True, has_credits=True)
    account.record_usage(usage, NOW - 1, NOW)
    assert status(account) is AccountStatus.LIMITED


def test_the_fullest_window_is_the_limit(account):
    windows = (Window("secondary", 40.0, 10_080, NOW + 9_000), used_up())
    account.record_usage(PolledUsage(windows, None, True, False), NOW - 1, NOW)
    limit = account.health.limit
    assert (limit.window, limit.until, limit.by) == ("primary", NOW + 900, "its usage")


def test_what_holds_of_the_way_is_shown_at_the_account(account):
    base = BaseUrl(edge_until=NOW + 10)
    shown = describe_account(account, NOW, base)
    assert (shown["state"], shown["until"]) == ("cooling", NOW + 10)
    assert "upstream's edge" in shown["why"]
    assert describe_account(account, NOW + 10, base)["state"] == "active"


def test_an_account_that_two_clients_suspect_still_serves(account):
    suspected = Mark("refused", "two clients", "no", NOW, NOW + 60, is_suspicion=True)
    account.health.set_mark(suspected)
    assert account.health.status(NOW) is AccountStatus.COOLING
    assert account.health.takes_requests(NOW)
    cool(account, NOW, 90)
    assert not account.health.takes_requests(NOW)
