"""What a key enforces in a payload, and what is noted about it."""

import pytest

from schemas.policy.key_policy import KeyPolicy, enforce_key_policy


def enforced(payload, **policy):
    payload = {"model": "m", "input": [], **payload}
    before = dict(payload)
    changes = enforce_key_policy(payload, KeyPolicy(**policy))
    return {k: v for k, v in payload.items() if v is not before.get(k)}, changes


@pytest.mark.parametrize(
    ("policy", "payload", "changed", "changes"),
    [
        ({}, {"model": "m", "reasoning": {"effort": "low"}}, {}, []),
        ({"model": "x"}, {}, {"model": "x"}, ["model enforced"]),
        ({"model": "m"}, {}, {}, []),
        ({"tier": "flex"}, {}, {"service_tier": "flex"}, ["service_tier enforced"]),
        ({"tier": "flex"}, {"service_tier": "flex"}, {}, []),
        (
            {"effort": "high"},
            {},
            {"reasoning": {"effort": "high"}},
            ["reasoning.effort enforced"],
        ),
        (
            {"effort": "high"},
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"reasoning": {"effort": "high", "summary": "auto"}},
            ["reasoning.effort enforced"],
        ),
        ({"effort": "high"}, {"reasoning": {"effort": "high"}}, {}, []),
        (
            {"model": "x", "tier": "flex", "effort": "low"},
            {"reasoning": None},
            {"model": "x", "service_tier": "flex", "reasoning": {"effort": "low"}},
            ["model enforced", "service_tier enforced", "reasoning.effort enforced"],
        ),
    ],
)
def test_a_key_enforces_its_rules_and_no_more(policy, payload, changed, changes):
    assert enforced(payload, **policy) == (changed, changes)


def test_an_effort_set_inside_the_input_is_enforced_too():
    def update(**reasoning):
        return {"type": "configuration_update", "reasoning": reasoning}

    other = [
        {"type": "message", "reasoning": {"effort": "low"}},
        {"type": "configuration_update", "reasoning": "low"},
        {"type": "configuration_update"},
        update(summary="auto"),
        update(effort="high"),
        "text",
    ]
    payload = {"reasoning": {"effort": "high"}, "input": [*other, update(effort="low")]}
    changed, changes = enforced(payload, effort="high")
    assert changed == {"input": [*other, update(effort="high")]}
    assert changes == ["configuration_update enforced"]
    assert enforced({**payload, "input": other}, effort="high") == ({}, [])


@pytest.mark.parametrize("rule", ["model", "effort", "tier"])
def test_a_key_with_any_rule_imposes_something(rule):
    assert KeyPolicy(**{rule: "x"}).imposes
    assert KeyPolicy(restricted=True).imposes
    assert not KeyPolicy().imposes
