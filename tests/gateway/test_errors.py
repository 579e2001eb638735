"""What errors say on each surface beside their message."""

import time

import pytest

from gateway.errors import KeyLimitReached, UsageLimitReached


@pytest.mark.parametrize("error", [UsageLimitReached, KeyLimitReached])
def test_a_limit_says_when_it_ends_as_a_moment_and_in_seconds(error):
    made = error(resets_at=time.time() + 90.4, plan_type="pro")
    told = made.envelope(codex=True)["error"]
    assert told["plan_type"] == "pro"
    assert told["resets_at"] == int(made.resets_at)
    assert told["resets_in_seconds"] in (89, 90)
    assert made.headers(codex=True) == {}
    assert made.headers(codex=False)["retry-after"] in ("89", "90")


def test_a_limit_that_ends_now_is_waited_for_a_second():
    made = UsageLimitReached(resets_at=time.time() - 5)
    assert made.envelope(codex=True)["error"]["resets_in_seconds"] == 1
    assert made.headers(codex=False) == {"retry-after": "1"}


def test_a_limit_of_unknown_end_promises_nothing():
    made = UsageLimitReached()
    assert not {"resets_at", "resets_in_seconds", "plan_type"} & set(
        made.envelope(codex=True)["error"]
    )
    assert made.headers(codex=False) == {}
