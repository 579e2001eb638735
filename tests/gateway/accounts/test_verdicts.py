"""Verdicts: who may speak for all, how far, and for how long."""

import pytest

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand, Reason, check_eligibility
from gateway.accounts.health import AccountStatus
from gateway.accounts.shared.witnesses import Witness
from gateway.accounts.verdicts import MAX_TROUBLES, Met, Verdicts
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import FailureKind

NOW = 1_800_000_000.0
RESET = NOW + 7_200


def failure(status=None, code=None, **fields):
    fields.setdefault("phase", "headers")
    fields.setdefault("origin", "upstream")
    return Failure(message="no", status=status, code=code, **fields)


@pytest.fixture
def verdicts():
    found = Verdicts()
    for client in (1, 2, 3):
        found.suspicions.count_request(client, NOW)
    return found


@pytest.fixture
def account():
    return Account(id=1, name="a")


def meet(verdicts, account, met, client=1, *, now=NOW, model="m"):
    witness = Witness(client, f"conversation of {client}")
    verdicts.meet(Met(account, met, witness, model), now)


def reason(verdicts, account, client=2, *, now=NOW, model="m", **wants):
    demand = Demand(model=model, key_id=client, **wants)
    found = check_eligibility(account, demand, verdicts, now)
    return None if found is None else found.reason


# What one client's request can draw, whatever it sends.
DRAWN = {
    "a page": failure(403),
    "403": failure(403, "forbidden", body=b"{}"),
    "402": failure(402, "payment_required", body=b"{}"),
    "too large": failure(429, "rate_limit_exceeded", retry_after=50.0),
    "401": failure(401, "token_expired"),
    "a limit without a reset": failure(429, "usage_limit_reached"),
    "500": failure(500),
    "overloaded": failure(503, "server_is_overloaded"),
    "no sockets": failure(426, phase="handshake"),
    "model in prose": failure(400, body=b"{}"),
    "a model's code for another field": failure(
        400, "model_not_found", param="input[0].role"
    ),
    "a lost token": failure(401, "refresh_token_expired"),
}


@pytest.mark.parametrize("met", DRAWN.values(), ids=DRAWN)
def test_what_one_client_draws_is_its_own(verdicts, account, met):
    for _ in range(20):
        meet(verdicts, account, met)
    assert account.health.status(NOW) is AccountStatus.ACTIVE
    for other in (2, 3):
        assert reason(verdicts, account, other) is None
        assert reason(verdicts, account, other, websocket=True) is None


def test_its_own_next_turns_go_elsewhere(verdicts, account):
    meet(verdicts, account, failure(500))
    assert reason(verdicts, account, 1) is None  # one is nothing
    meet(verdicts, account, failure(500))
    assert reason(verdicts, account, 1) is Reason.SUSPECTED
    assert reason(verdicts, account, 1, model="other") is None
    assert reason(verdicts, account, 1, bound_to=account.id) is None
    verdicts.succeed(account, 1, "m")
    assert reason(verdicts, account, 1) is None


def test_two_clients_make_it_the_last_choice_of_all(verdicts, account):
    meet(verdicts, account, failure(401), 1)
    meet(verdicts, account, failure(401), 2)
    assert reason(verdicts, account, 3) is Reason.SUSPECTED
    assert "two clients" in account.health.why(NOW)
    assert reason(verdicts, account, 3, now=NOW + 60) is None
    account.health.succeed(NOW + 1)
    assert account.health.status(NOW + 1) is AccountStatus.ACTIVE


def test_a_passing_failure_of_one_does_not_complete_what_another_draws(
    verdicts, account
):
    for _ in range(9):
        meet(verdicts, account, failure(500), 1)
    meet(verdicts, account, failure(500), 2)
    assert reason(verdicts, account, 3) is None
    meet(verdicts, account, failure(500), 2)  # is no accident any more
    assert reason(verdicts, account, 3) is Reason.SUSPECTED


def test_a_success_between_them_ends_it(verdicts, account):
    meet(verdicts, account, failure(500), 1)
    verdicts.succeed(account, 3, "m")
    meet(verdicts, account, failure(500), 2)
    assert reason(verdicts, account, 3) is None


@pytest.mark.parametrize(
    ("met", "model", "is_of_all_models"),
    [
        (failure(500), "m", True),
        (failure(code="upstream_headers_timeout"), "m", True),
        (failure(503, "server_is_overloaded"), "m", False),
    ],
)
def test_trouble_of_upstream_is_what_two_clients_met(
    verdicts, account, met, model, is_of_all_models
):
    elsewhere = Account(id=2, name="b", base_url="http://other.example/v1")
    meet(verdicts, account, met, 1)
    assert not verdicts.is_troubled(account, model, NOW)
    meet(verdicts, account, met, 2, now=NOW + 9)
    assert verdicts.is_troubled(account, model, NOW + 9)
    assert verdicts.is_troubled(account, "other", NOW + 9) is is_of_all_models
    assert not verdicts.is_troubled(elsewhere, model, NOW + 9)
    assert verdicts.may_try_second(account, NOW + 9)
    assert not verdicts.may_try_second(account, NOW + 9.5)
    assert verdicts.may_try_second(account, NOW + 10)
    verdicts.succeed(account, 3, model)
    assert not verdicts.is_troubled(account, model, NOW + 9)


def test_trouble_needs_both_within_ten_seconds(verdicts, account):
    meet(verdicts, account, failure(500), 1)
    meet(verdicts, account, failure(500), 2, now=NOW + 11)
    assert not verdicts.is_troubled(account, "m", NOW + 11)


def test_upstreams_code_convicts_until_its_reset(verdicts, account):
    meet(verdicts, account, failure(429, "usage_limit_reached", resets_at=RESET))
    assert reason(verdicts, account, 3) is Reason.LIMITED
    assert account.health.until(NOW) == RESET
    assert not account.health.limit.is_confirmed


def test_a_judge_that_contradicts_leaves_a_minute_then_two(verdicts, account):
    limit = failure(429, "usage_limit_reached", resets_at=RESET)
    meet(verdicts, account, limit)
    account.health.contradict_limit()
    assert account.health.until(NOW) == NOW + 60
    meet(verdicts, account, limit, now=NOW + 61)
    assert account.health.until(NOW + 61) == NOW + 61 + 60
    meet(verdicts, account, limit, now=NOW + 122)
    assert account.health.until(NOW + 122) == NOW + 122 + 120
    account.health.succeed(NOW + 300)
    meet(verdicts, account, limit, now=NOW + 300)
    assert account.health.until(NOW + 300) == RESET


@pytest.mark.parametrize("code", ["account_deactivated", "account_suspended"])
def test_a_code_about_the_login_holds_a_minute_and_a_judge_decides(
    verdicts, account, code
):
    meet(verdicts, account, failure(403, code))
    assert reason(verdicts, account, 3) is Reason.COOLING
    assert account.health.until(NOW) == NOW + 60
    assert account.health.login_reason is None
    verdicts.acquit(account)
    assert reason(verdicts, account, 3) is Reason.COOLING
    verdicts.rule(account, failure(403, code, body=b"{}"), "its usage", NOW)
    assert reason(verdicts, account, 3) is Reason.LOGIN_REQUIRED
    assert account.health.why(NOW) == f"{code}, says its usage"


def test_a_limit_of_one_model_leaves_the_others(verdicts, account):
    met = failure(
        429, "usage_limit_reached", resets_at=RESET, named_limit="codex_small"
    )
    meet(verdicts, account, met)
    assert account.health.status(NOW) is AccountStatus.ACTIVE
    assert reason(verdicts, account, 3) is Reason.SUSPECTED  # asked again in need
    assert reason(verdicts, account, 3, model="other") is None
    assert reason(verdicts, account, 3, now=RESET) is None


def test_a_code_about_the_model_convicts_it_at_this_account(verdicts, account):
    for param in (None, "model"):
        meet(verdicts, account, failure(404, "model_not_found", param=param))
        assert reason(verdicts, account, 3) is Reason.MODEL
        assert reason(verdicts, account, 3, model="other") is None
    assert reason(verdicts, account, 3, now=NOW + 119) is Reason.MODEL
    assert reason(verdicts, account, 3, now=NOW + 120) is None


def test_a_refused_connection_counts_once_a_second(verdicts, account):
    met = failure(code="connection_refused", phase="connect", origin="network")
    for _ in range(9):
        meet(verdicts, account, met)
    assert account.health.failures == 1
    assert reason(verdicts, account, 3) is Reason.SUSPECTED
    meet(verdicts, account, met, now=NOW + 1)
    assert account.health.failures == 2


def test_a_page_at_the_judge_closes_the_way_but_for_one_attempt(verdicts, account):
    page = failure(403)
    ends = []
    for now in (NOW, NOW + 20, NOW + 60):
        verdicts.rule(account, page, "its usage", now)
        ends.append(verdicts.base(account).edge_until - now)
    assert ends == [10, 20, 40]
    assert reason(verdicts, account, 3, now=NOW + 61) is Reason.EDGE_REFUSED
    assert reason(verdicts, account, 3, now=NOW + 100) is None
    verdicts.note_attempt(account, NOW + 100)
    assert reason(verdicts, account, 3, now=NOW + 100) is Reason.EDGE_REFUSED
    verdicts.acquit(account)
    assert reason(verdicts, account, 3, now=NOW + 100) is None
    assert account.health.status(NOW) is AccountStatus.ACTIVE


def test_sockets_are_off_at_a_base_url_by_a_handshake_of_our_own(verdicts, account):
    verdicts.rule(account, failure(426, phase="handshake"), "a handshake", NOW)
    assert reason(verdicts, account, websocket=True) is Reason.NO_SOCKETS
    assert reason(verdicts, account) is None
    assert reason(verdicts, account, websocket=True, now=NOW + 600) is None


def test_a_judges_401_rests_the_account_and_ends_with_the_next_acquittal(
    verdicts, account
):
    refused = failure(401, body=b"{}")
    meet(verdicts, account, refused)
    verdicts.rule(account, refused, "its usage", NOW)
    assert reason(verdicts, account) is Reason.COOLING
    assert account.is_login_refused  # it has nothing to renew its token with
    verdicts.acquit(account)
    assert reason(verdicts, account) is None


def test_a_401_to_a_poll_only_does_not_refuse_what_goes_well(verdicts, account):
    verdicts.rule(account, failure(401, body=b"{}"), "its usage", NOW)
    assert reason(verdicts, account) is Reason.SUSPECTED  # the last choice
    account.health.succeed(NOW)
    assert reason(verdicts, account) is None


def test_trouble_is_kept_of_so_many_models_only(verdicts, account):
    for number in range(1_000):
        for client in (1, 2):
            overloaded = failure(503, "server_is_overloaded")
            meet(verdicts, account, overloaded, client, model=f"m{number}")
    assert len(verdicts.base(account).trouble) == MAX_TROUBLES
    assert verdicts.is_troubled(account, "m999", NOW)


def test_every_mark_ends_by_itself(verdicts, account):
    """But a login that the token endpoint has ended, and what the operator did."""
    for met in DRAWN.values():
        for client in (1, 2):
            meet(verdicts, account, met, client)
        verdicts.rule(account, met, "a judge", NOW)
        if account.health.login_reason is not None:
            assert met.code == "refresh_token_expired"
            account.health.logged_in()
    late = NOW + 86_400
    assert reason(verdicts, account, 3, now=late) is None
    assert reason(verdicts, account, 3, now=late, websocket=True) is None


def test_the_failed_kind_is_noted_for_the_operator(verdicts, account):
    meet(verdicts, account, failure(500))
    assert account.health.last_error.message == f"{FailureKind.SERVER_ERROR}: no"


def test_a_clock_that_was_ahead_leaves_no_trouble_behind(verdicts, account):
    for client in (1, 2):
        meet(verdicts, account, failure(500), client, now=NOW + 9_000)
    assert verdicts.is_troubled(account, "m", NOW + 9_000)
    assert verdicts.may_try_second(account, NOW + 9_000)
    assert not verdicts.is_troubled(account, "m", NOW)
    assert verdicts.may_try_second(account, NOW)
