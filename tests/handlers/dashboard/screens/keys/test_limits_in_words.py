"""What happens next with a key's limits, in words. Plain calls."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.keys.key import Key, Measure, parse_limit
from handlers.dashboard.screens.keys.limits import (
    LimitUse,
    fullest,
    next_for_key,
    outlook,
    when,
)

NOW = datetime(2026, 11, 30, 14, 0, tzinfo=UTC).timestamp()  # a Monday
DAY = 86400
KEY = Key(1, "laptop", "sk-cgw-abcdefgh", "0" * 64, int(NOW) - 3 * DAY)


def use(text, used, began=3, lasts=7):
    """Of a window that began so many days ago."""
    limit = parse_limit(text)
    start = NOW - began * DAY
    return LimitUse(limit, used, start, start + lasts * DAY, NOW)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (0, "today 14:00"),
        (9.9 * 3600, "today 23:54"),
        (DAY, "tomorrow 14:00"),
        (-DAY, "yesterday 14:00"),
        (3 * DAY, "on Thursday 14:00"),
        (6 * DAY, "on Sunday 14:00"),
        (7 * DAY, "on 7 Dec 14:00"),
        (-3 * DAY, "on 27 Nov 14:00"),
        (400 * DAY, "on 4 Jan 2028 14:00"),
        (1e15, "later than any calendar has it"),
    ],
)
def test_a_moment_is_told_as_one_says_it(away, words):
    assert when(NOW + away, NOW, "UTC") == words


def test_a_moment_is_told_in_the_zone():
    assert when(NOW + 11 * 3600, NOW, "UTC") == "tomorrow 01:00"
    assert when(NOW + 11 * 3600, NOW, "America/New_York") == "today 20:00"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            use("tokens 2M/7d", 0),
            "Nothing is used of the limit of tokens per week, which begins anew on "
            "Friday 14:00.",
        ),
        (
            use("tokens 2M/7d", 500_000),
            "At this pace the limit of tokens per week lasts until it begins anew on "
            "Friday 14:00.",
        ),
        (
            use("tokens 2M/7d", 1_200_000),
            "At this pace the limit of tokens per week is used up on Wednesday 14:00; "
            "then requests are answered 429 until Friday 14:00.",
        ),
        (
            use("tokens 2M/7d", 1_900_000, began=0.1),
            "How long the limit of tokens per week lasts cannot be told yet; it begins "
            "anew on 7 Dec 11:36.",
        ),
        (
            use("cost 5/7d model=gpt-5*", 5_000_000),
            "The limit of cost per week, gpt-5* is used up: requests for gpt-5* are "
            "answered 429 until Friday 14:00.",
        ),
    ],
)
def test_what_happens_next_is_told_in_words(one, words):
    assert outlook(one, "UTC") == words


def test_of_a_key_what_comes_first_is_told_first():
    uses = [
        use("requests 100/7d", 1),
        use("tokens 2M/7d", 1_200_000),
        use("cost 1/7d", 1_000_000),
    ]
    told = next_for_key(replace(KEY, expires_at=NOW + DAY), uses, NOW, "UTC")
    assert [one.split()[0] for one in told] == ["The", "At", "At", "The"]
    assert told[-1] == (
        "The key ends tomorrow 14:00; then requests with this key are answered 401."
    )


def test_a_key_that_opens_nothing_says_only_that():
    uses = [use("tokens 2M/7d", 1_200_000)]
    assert next_for_key(replace(KEY, disabled=True), uses, NOW, "UTC") == [
        "It is disabled: requests with this key are answered 401. "
        "What it was running goes on."
    ]
    [told] = next_for_key(replace(KEY, expires_at=NOW - 60), uses, NOW, "UTC")
    assert told.startswith("It ended today 13:59: ")


def test_an_old_token_s_end_is_told():
    key = replace(KEY, old_digest="1" * 64, old_prefix="p", old_expires_at=NOW + DAY)
    assert next_for_key(key, [], NOW, "UTC") == [
        "Its old token p… is good until tomorrow 14:00."
    ]


def test_amounts_have_their_unit():
    assert use("tokens 2M/7d", 1_234_567).used_text == "1.23M"
    assert use("cost 5.50/30d", 1_500_000).left_text == "$4.00"
    assert use("requests 1000/1h", 999).maximum_text == "1,000"
    assert use("cost 5/7d model=gpt-5*", 1).label == "Cost per week, gpt-5*"
    assert use("tokens 1/7d", 5).left_text == "0"


@pytest.mark.parametrize(
    ("window", "words"),
    [
        *(("1h", "hour"), ("5h", "5 hours"), ("1d", "day"), ("30d", "30 days")),
        *(
            ("7d", "week"),
            ("14d", "14 days"),
            ("90m", "90 minutes"),
            ("1m", "minute"),
        ),
    ],
)
def test_a_window_is_told_in_words(window, words):
    one = use(f"requests 1/{window}", 0)
    assert one.label == f"Requests per {words}"


def test_the_fullest_come_first():
    few, most = use("tokens 100/7d", 1), use("requests 100/7d", 90)
    assert list(fullest([few, most], 1)) == [most]
    assert most.limit.measure is Measure.REQUESTS
    assert most.passed == pytest.approx(3 / 7)
