"""A key's quota: the rate limit headers and the report."""

import asyncio

import pytest

from gateway.keys.key import Measure
from gateway.keys.quota_report import format_duration, iso_time
from gateway.protocol.facts import Usage, Window
from tests.gateway.keys.limits import (
    CREATED,
    DAY,
    HOUR,
    key,
    limit,
    spend,
    turn,
)

# How a key stands


def test_rate_limit_headers_show_the_tightest_limit_of_each_kind(limiter, clock):
    a_key = key(
        limit(1000, window="5h"),
        limit(100, Measure.OUTPUT, "7d", id=2),
        limit(50, Measure.REQUESTS, "1d", id=3),
        limit(5, Measure.COST, id=4),
        limit(1, model="other", id=5),
        rpm=10,
    )

    async def run():
        reservation = await limiter.reserve(a_key, spend(1), "m")
        reservation.settle(Usage(950, output_tokens=30), 1)
        clock.now = CREATED + 20
        await limiter.reserve(a_key, spend(900), "m")
        assert limiter.ratelimit_headers(a_key, "m", CREATED + 30) == {
            "x-ratelimit-limit-requests": "10",
            "x-ratelimit-remaining-requests": "8",
            "x-ratelimit-reset-requests": "50s",
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "20",
            "x-ratelimit-reset-tokens": "4h59m30s",
        }

    asyncio.run(run())


def test_a_key_without_limits_has_no_rate_limit_headers(limiter):
    assert limiter.ratelimit_headers(key(), "m", CREATED) == {}


def test_of_two_used_up_limits_the_headers_show_the_longer(limiter):
    a_key = key(limit(10, window="5h"), limit(20, window="1d", id=2))

    async def run():
        await turn(limiter, a_key, 30)
        headers = limiter.ratelimit_headers(a_key, "m", CREATED)
        assert headers["x-ratelimit-remaining-tokens"] == "0"
        assert headers["x-ratelimit-reset-tokens"] == "24h0m0s"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (0.017, "17ms"),
        (0.0001, "1ms"),
        (1, "1s"),
        (59.6, "1m0s"),
        (360, "6m0s"),
        (3605, "1h0m5s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds, text):
    assert format_duration(seconds) == text


def test_the_report_shows_each_limit_and_the_rates(limiter, clock):
    a_key = key(limit(100, model="m*"), rpm=5, concurrency=3)

    async def run():
        await turn(limiter, a_key, 150)
        await limiter.reserve(a_key, spend(1), "other")
        shown = [
            (
                row["limit_type"],
                row["limit_window"],
                row["current_value"],
                row["remaining_value"],
                row["max_value"],
                row["model_filter"],
                row["reset_at"],
            )
            for row in limiter.report(a_key, clock.now)
        ]
        assert shown == [
            ("total_tokens", "7d", 150, 0, 100, "m*", "2025-12-01T16:00:00Z"),
            ("requests", "rpm", 2, 3, 5, None, "2025-11-24T16:01:10Z"),
            ("concurrency", None, 1, 2, 3, None, None),
        ]

    asyncio.run(run())


def test_codex_sees_the_fullest_short_and_the_fullest_long_window(limiter):
    a_key = key(
        limit(200, window="5h"),
        limit(10, Measure.REQUESTS, "1m", id=2),
        limit(1000, window="7d", id=3),
        limit(100, window="30d", id=4),
        limit(1, window="30d", model="m", id=5),
    )

    async def run():
        await turn(limiter, a_key, 150)
        assert limiter.windows(a_key, CREATED) == (
            Window("primary", 75.0, 300, CREATED + 5 * HOUR),
            Window("secondary", 100.0, 30 * 1440, CREATED + 30 * DAY),
        )
        assert limiter.windows(key(), CREATED) == ()

    asyncio.run(run())


def test_codex_sees_shares_of_a_window_to_a_tenth(limiter):
    a_key = key(limit(300, window="5h"), limit(3000, window="7d", id=2))

    async def run():
        await turn(limiter, a_key, 100)
        primary, secondary = limiter.windows(a_key, CREATED)
        assert (primary.used_percent, secondary.used_percent) == (33.3, 3.3)

    asyncio.run(run())


@pytest.mark.parametrize(("used", "percent"), [(99, 99.0), (100, 100.0), (250, 100.0)])
def test_codex_never_sees_more_than_all_of_a_window(limiter, used, percent):
    a_key = key(limit(100, window="5h"))

    async def run():
        await turn(limiter, a_key, used)
        [window] = limiter.windows(a_key, CREATED)
        assert window.used_percent == percent

    asyncio.run(run())


def test_iso_times_end_with_the_second():
    assert iso_time(CREATED + 0.9) == iso_time(CREATED)
