"""The facts of a receipt, whatever release has written it."""

import json

from gateway.admin.explained.receipt import (
    attempts,
    counted_cost,
    model_facts,
    phases,
)

NO_TIMES = dict.fromkeys(
    ("body_ms", "queue_ms", "connect_ms", "first_event_ms", "first_output_ms")
)


def test_a_phase_took_what_passed_since_the_one_before():
    row = {**NO_TIMES, "body_ms": 2, "connect_ms": 40, "duration_ms": 1040}
    told = [(one.name, one.at, one.took) for one in phases(row)]
    assert told == [
        ("body read and checked", 2, 2),
        ("upstream answered", 40, 38),
        ("end", 1040, 1000),
    ]


def test_an_attempt_says_what_its_failure_speaks_against():
    told = {
        "account": "one",
        "ms": 5,
        "code": "x",
        "kind": "quota",
        "then": "elsewhere",
    }
    (attempt,) = attempts({"receipt": {"attempts": [told]}})
    assert attempt.speaks_against == "the account's plan or balance"


def test_receipts_of_earlier_releases_say_what_they_know():
    (attempt,) = attempts({"receipt": {"attempts": [{"account": "one"}]}})
    assert (attempt.at, attempt.judgement, attempt.then) == (0, None, "")
    for receipt in ({}, {"attempts": None}, json.loads('{"attempts": 3}')):
        assert attempts({"receipt": receipt}) == []


def test_a_model_is_told_as_asked_for_as_served_and_in_its_tier():
    row = {
        "model": "gpt-5.5",
        "requested_model": "fast",
        "receipt": {"served": "gpt-5.5-mini"},
        "service_tier": None,
        "requested_tier": "flex",
        "reasoning_effort": "high",
        "is_prewarm": True,
    }
    assert model_facts(row) == [
        "gpt-5.5",
        "asked for as fast",
        "served as gpt-5.5-mini",
        "tier flex",
        "effort high",
        "prewarm",
    ]


def test_only_a_turn_without_a_price_is_counted_by_another():
    assert counted_cost({"cost_microdollars": 5, "receipt": {"counted": 9}}) is None
    assert counted_cost({"cost_microdollars": None, "receipt": {"counted": 9}}) == 9
