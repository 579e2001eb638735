"""What needs the owner."""

import pytest

from gateway.admin.traffic.locality import Locality
from gateway.doctor.findings import fail, ok, warn
from handlers.dashboard.screens.needs import MOST_OF_A_KIND, Signs, needs

NOW = 1_800_000_000.0
DAY = 86_400.0


def told(accounts=(), limits=(), readiness=None, warnings=None, lost=0):
    return {
        "at": NOW,
        "gateway": {
            "readiness": {"database": "ok", **(readiness or {})},
            "warnings": warnings or {},
        },
        "accounts": accounts,
        "limits": limits,
        "queues": {"lost_rows": lost},
    }


def account(state="active", auth="login", ends=None, name="ada"):
    return {
        "name": name,
        "state": state,
        "why": "upstream said so",
        "auth": auth,
        "token_expires_at": ends,
    }


def limit(percent, runs_out_at=None, limit="requests 40/1d", key="ci"):
    return {
        "key": key,
        "limit": limit,
        "used": percent,
        "maximum": 100,
        "used_percent": float(percent),
        "runs_out_at": runs_out_at,
        "resets_at": NOW + 7200,
    }


def found(signs=None, **facts):
    return needs(told(**facts), signs or Signs())


def test_where_all_is_well_nothing_needs_the_owner():
    calm = [account(), account("paused"), account("limited"), account(ends=NOW + 60)]
    assert found(accounts=calm, limits=[limit(79)]) == []


@pytest.mark.parametrize("state", ["reauth_required", "token_ended"])
def test_an_ended_login_leads_to_its_account(state):
    (need,) = found(accounts=[account(state, name="a/b <c>")])
    assert (need.level, need.url) == ("bad", "/dashboard/accounts/a%2Fb%20%3Cc%3E")
    assert need.text == "a/b <c> needs a new login: upstream said so"


@pytest.mark.parametrize(("days", "is_told"), [(2, True), (4, False), (-1, False)])
def test_an_access_token_that_nothing_renews_is_told_of_before_its_end(days, is_told):
    token = account(auth="access_token", ends=NOW + days * DAY)
    assert bool(found(accounts=[token])) is is_told


def test_keys_near_a_limit_are_told_with_what_comes_next():
    full, soon, early = found(
        limits=[limit(100), limit(90), limit(30, runs_out_at=NOW + 600)]
    )
    assert (full.level, soon.level, early.level) == ("bad", "warn", "warn")
    assert "resets in 2 h" in full.text
    assert "90 of 100 (requests 40/1d)" in soon.text
    assert "runs out in 10 min" in early.text
    (money,) = found(limits=[limit(90, limit="cost 50/30d")])
    assert "$0.000090 of $0.0001" in money.text


def test_of_many_keys_the_fullest_are_named():
    many = found(limits=[limit(99, key=f"key {n}") for n in range(MOST_OF_A_KIND + 3)])
    assert len(many) == MOST_OF_A_KIND + 1
    assert many[-1].text == "3 more are near a limit of theirs"


def test_the_process_tells_what_is_wrong_with_it():
    unready, skew, lost = found(
        readiness={"database": "not writable: disk full"},
        warnings={"clock": "45 s behind"},
        lost=1200,
    )
    assert (unready.level, unready.subject) == ("bad", "Database")
    assert (skew.level, skew.subject, skew.text) == ("warn", "Clock", "45 s behind")
    assert lost.text == "1,200 rows of the log were lost"


def test_a_blocked_loop_is_told_of_for_a_day():
    fresh = {"at": NOW - 7200, "what": "812 ms, json"}
    (need,) = found(Signs(recording=fresh))
    assert need.text == "blocked 2 h ago: 812 ms, json"
    assert found(Signs(recording={"at": NOW - 2 * DAY, "what": None})) == []


def test_notices_that_nobody_got_are_told_here():
    (need,) = found(Signs(undelivered=[{"title": "Key ci: 80 % used"}]))
    assert need.text == "not delivered: Key ci: 80 % used"


def test_conversations_that_lose_their_cache_are_told_beside_the_day_before():
    hour, day = Locality(100, 30, 1000, 100), Locality(900, 9, 9000, 8100)
    (moved,) = found(Signs(hour=hour, day=day, alarm="moved"))
    assert moved.text == (
        "30 % of the last hour's turns changed their account, 1 % the day before"
    )
    (uncached,) = found(Signs(hour=hour, day=day, alarm="uncached"))
    assert "10 % of the last hour's input was cached, 90 %" in uncached.text
    assert found(Signs(hour=hour, day=day)) == []


def test_what_the_doctor_found_is_told_but_for_what_is_well():
    findings = [
        ok("disk", "there is room"),
        warn("disk", "little"),
        fail("egress", "no"),
    ]
    bad, soon = found(Signs(findings=findings))
    assert (bad.level, bad.text, bad.url) == ("bad", "egress: no", "/dashboard/doctor")
    assert (soon.level, soon.text) == ("warn", "disk: little")
    many = found(Signs(findings=[fail("x", "y")] * (MOST_OF_A_KIND + 2)))
    assert many[-1].text == "2 more findings"
