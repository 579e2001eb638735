"""One account: what happens to it, and what it may do afterwards."""

import json

import pytest

from gateway.accounts.account import Account, Catalogue, Credentials, PolledUsage
from gateway.accounts.description import describe_account
from gateway.accounts.failure_effects import apply
from gateway.accounts.health import AccountHealth, AccountLimit, AccountStatus
from gateway.protocol.facts import Failure, Window
from gateway.protocol.failure_kind import KINDS, Blame
from gateway.repository.account_state import restore, to_keep
from gateway.secret import Secret

NOW = 1_800_000_000.0


@pytest.fixture
def account():
    return Account(id=1, name="a")


def failure(status=None, code=None, **fields):
    fields.setdefault("phase", "headers")
    fields.setdefault("origin", "upstream")
    return Failure(message="no", status=status, code=code, **fields)


def status(account, later=0.0):
    return account.health.status(NOW + later)


def test_facts_stand_side_by_side():
    state = AccountHealth()
    state.cool(NOW, 30, "broken")
    assert (state.status(NOW), state.until(NOW)) == (AccountStatus.COOLING, NOW + 30)
    state.set_limit(NOW, "primary", NOW + 100)
    assert (state.status(NOW), state.why(NOW)) == (
        AccountStatus.LIMITED,
        "primary limit",
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


def test_of_two_limits_the_later_end_counts():
    state = AccountHealth()
    state.set_limit(NOW, "secondary", NOW + 900)
    state.set_limit(NOW, "primary", NOW + 300)
    assert state.limit == AccountLimit("secondary", NOW, NOW + 900)


def test_usage_limit_lasts_until_its_reset(account):
    apply(account, failure(429, "usage_limit_reached", resets_at=NOW + 3_600), NOW)
    assert status(account) is AccountStatus.LIMITED
    assert status(account, 3_599) is AccountStatus.LIMITED
    assert status(account, 3_600) is AccountStatus.ACTIVE


def test_limit_is_named_after_the_window_that_is_reset_then(account):
    account.record_windows(
        [
            Window("primary", 40.0, 300, NOW + 600),
            Window("secondary", 99.0, 10_080, NOW + 90_000),
        ],
        NOW,
    )
    apply(account, failure(429, "usage_limit_reached", resets_at=NOW + 90_010), NOW)
    assert account.health.why(NOW) == "secondary limit"


def test_short_rate_limit_cools_and_a_long_one_limits(account):
    apply(account, failure(429, "rate_limit_exceeded", retry_after=1.5), NOW)
    assert (status(account), account.health.until(NOW)) == (
        AccountStatus.COOLING,
        NOW + 1.5,
    )
    apply(account, failure(429, "rate_limit_exceeded", retry_after=600.0), NOW)
    assert (status(account), account.health.until(NOW)) == (
        AccountStatus.LIMITED,
        NOW + 600,
    )


def test_consecutive_failures_cool_ever_longer_up_to_a_cap(account):
    now, pauses = NOW, []
    for _ in range(12):
        apply(account, failure(500), now)
        pauses.append(max(0.0, account.health.cooling_until - now))
        now = max(now, account.health.cooling_until)
    assert pauses == [0, 0, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30]


@pytest.mark.parametrize(
    ("met", "seconds"),
    [
        (failure(429), 2),
        (failure(429, retry_after=1.0), 1),
        (failure(500, retry_after=1.0), 2),
        (failure(500, retry_after=7.0), 7),
    ],
)
def test_only_a_rate_limit_is_paused_for_exactly_what_upstream_asks(
    account, met, seconds
):
    account.health.failures = 0 if met.status == 429 else 2
    apply(account, met, NOW)
    assert account.health.cooling_until == NOW + seconds


def test_success_between_failures_keeps_the_account_in(account):
    for _ in range(10):
        apply(account, failure(500), NOW)
        apply(account, failure(500), NOW)
        account.health.succeed(NOW)
    assert status(account) is AccountStatus.ACTIVE


def test_success_that_began_before_the_trouble_proves_nothing(account):
    account.health.cool(NOW, 30, "broken")
    account.health.succeed(NOW - 1)
    assert status(account) is AccountStatus.COOLING
    account.health.succeed(NOW + 1)
    assert status(account) is AccountStatus.ACTIVE


def test_failed_probe_cools_again_at_once(account):
    account.health.cool(NOW, 1, "broken")
    apply(account, failure(500), NOW + 2)
    assert status(account, 2) is AccountStatus.COOLING


@pytest.mark.parametrize("code", [None, "server_error", "stream_incomplete"])
def test_failures_inside_running_streams_never_exclude(account, code):
    for _ in range(20):
        apply(account, failure(500, code, phase="stream"), NOW)
    assert status(account) is AccountStatus.ACTIVE


def test_limit_told_inside_a_stream_holds(account):
    apply(account, failure(code="usage_limit_reached", phase="stream"), NOW)
    assert status(account) is AccountStatus.LIMITED


@pytest.mark.parametrize("met", [failure(400), failure(413), failure(400, "x")])
def test_the_requests_own_faults_are_not_the_accounts(account, met):
    for _ in range(20):
        apply(account, met, NOW)
    assert status(account) is AccountStatus.ACTIVE
    assert account.health.last_error is None


@pytest.mark.parametrize("met", [failure(401), failure(403)])
def test_an_account_that_is_turned_away_rests_at_once(account, met):
    apply(account, met, NOW)
    assert status(account) is AccountStatus.COOLING


def test_a_lost_login_stays_lost(account):
    apply(account, failure(403, "account_deactivated"), NOW)
    assert status(account, 1e9) is AccountStatus.REAUTH_REQUIRED
    assert account.health.why(NOW) == "account_deactivated"


def test_handshake_refused_for_good_means_no_sockets(account):
    apply(account, failure(426, phase="handshake"), NOW)
    assert not account.websockets
    assert status(account) is AccountStatus.ACTIVE


def test_accounts_that_are_to_blame_cool_and_no_others():
    for kind, rules in KINDS.items():
        assert (rules.cooling is not None) == (rules.blames is Blame.ACCOUNT), kind
        is_limited = rules.blames in (Blame.WINDOW, Blame.BALANCE)
        assert (rules.limit_seconds > 0) == is_limited, kind


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
    account.health.require_login("refresh_token_expired")
    account.health.paused = is_paused
    kept = to_keep(account, NOW)
    assert kept.kind == "reauth_required"
    later = Account(id=1, name="a", credentials=account.credentials)
    restore(later, json.loads(kept.detail), NOW + 1)
    assert later.health.why(NOW + 1) == "refresh_token_expired"
    later.health.logged_in()
    assert later.health.why(NOW + 1) == "weekly limit"
    assert later.health.limit == account.health.limit


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
    assert account.health.limit == AccountLimit("primary", NOW, NOW + 900)
