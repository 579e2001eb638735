"""What a resumed or probed account still has against it, by whose word."""

import time

import pytest

from gateway.demo import faults
from gateway.demo.events import ScriptedTurn

pytestmark = pytest.mark.gen_test(timeout=20)


def limit(serving, name, *, minutes_ago):
    """A limit of an hour, told by an answer's headers so long ago."""
    told_at = time.time() - 60 * minutes_ago
    health = serving.account(name).health
    health.set_limit(told_at, "primary", told_at + 7200)
    return health.limit.until


async def test_a_resumed_account_says_what_its_judge_still_holds_against_it(
    serving, operator
):
    serving.upstream.accounts["one"].primary_percent = 100
    await operator.post("/api/accounts/one/pause")
    resumed = (await operator.post("/api/accounts/one/resume")).json
    assert (resumed["state"], resumed["ruling"]) == ("limited", "well")
    assert resumed["why"] == "primary limit, says its usage"
    assert resumed["until"] > time.time()
    assert resumed["after"] == {"paused": False}


async def test_a_limit_that_the_judge_knows_nothing_of_ends_with_the_resume(
    serving, operator
):
    limit(serving, "one", minutes_ago=5)
    resumed = (await operator.post("/api/accounts/one/resume")).json
    assert (resumed["state"], resumed["why"]) == ("active", "")


async def test_a_limit_too_young_for_the_judge_to_know_stays_and_is_told(
    serving, operator
):
    until = limit(serving, "one", minutes_ago=0)
    resumed = (await operator.post("/api/accounts/one/resume")).json
    assert (resumed["state"], resumed["until"]) == ("limited", until)
    assert resumed["why"] == "primary limit, says its answer's headers"


async def test_a_judge_that_gives_no_answer_is_told_too(serving, operator):
    limit(serving, "one", minutes_ago=5)
    serving.upstream.answer(faults.unavailable(), route="usage", times=None)
    resumed = (await operator.post("/api/accounts/one/resume")).json
    assert (resumed["state"], resumed["ruling"]) == ("limited", "none")


async def test_a_good_probe_ends_the_limit_that_its_model_counts_in(serving, operator):
    limit(serving, "one", minutes_ago=5)
    body = {"model": "gpt-5.5"}
    probed = (await operator.post("/api/accounts/one/probe", body)).json
    assert (probed["ok"], probed["state"], probed["why"]) == (True, "active", "")
    # The probe itself may have been the last that there was room for.
    serving.upstream.accounts["one"].primary_percent = 100
    probed = (await operator.post("/api/accounts/one/probe", body)).json
    assert (probed["ok"], probed["state"]) == (True, "limited")
    assert probed["until"] > time.time()


async def test_a_good_probe_of_a_model_with_a_limit_of_its_own_tells_of_no_other(
    serving, operator
):
    until = limit(serving, "one", minutes_ago=5)
    account = serving.account("one")
    for model in ("gpt-5.5", "gpt-5.4"):
        account.limit_model(model, until)
    turn = ScriptedTurn().text("OK").completed()
    serving.upstream.answer(
        *turn.events, headers={"x-codex-active-limit": "codex_other"}
    )
    probed = await operator.post("/api/accounts/one/probe", {"model": "gpt-5.5"})
    assert (probed.json["ok"], probed.json["state"]) == (True, "limited")
    assert probed.json["until"] == until
    assert list(account.model_limits) == ["gpt-5.4"]
