"""The Limiter on its loop: admission, waiting, settling, and how a key stands."""

import asyncio
import time

import pytest

from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.keys.counters import Charge
from gateway.keys.key import Key, Limit, Measure
from gateway.keys.limiter import Limiter
from gateway.keys.quota_report import format_duration
from gateway.protocol.facts import Usage, Window

CREATED = 1_764_000_000  # 2025-11-24T16:00:00Z
HOUR, DAY = 3600, 86_400


class Clock:
    def __init__(self, now=CREATED + 10.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limiter(clock):
    return Limiter(clock)


def limit(maximum, measure=Measure.TOKENS, window="7d", model=None, id=1):
    return Limit(id, measure, maximum, window, model)


def key(*limits, id=1, **fields):
    return Key(id, f"key {id}", "sk-cgw-", "", CREATED, limits=limits, **fields)


def spend(tokens):
    return Charge(Usage(tokens), 0)


def used(limiter, a_key):
    now = limiter._clock()
    return [row["current_value"] for row in limiter.report(a_key, now)]


async def turn(limiter, a_key, tokens, model="m"):
    """One whole turn that takes what was expected."""
    reservation = await limiter.reserve(a_key, spend(tokens), model)
    reservation.settle(Usage(tokens), 0)


async def started(*turns):
    """The turns as tasks, each run as far as it gets without the others."""
    tasks = []
    for awaitable in turns:
        tasks.append(asyncio.ensure_future(awaitable))
        await settled()
    return tasks


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


# Refusal


def test_a_used_up_limit_refuses_until_its_window_ends(limiter, clock):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 100)
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, a_key, 1)
        assert str(caught.value) == (
            "API key tokens 7d limit exceeded. Usage resets at 2025-12-01T16:00:00Z."
        )
        assert caught.value.resets_at == CREATED + 7 * DAY
        assert caught.value.plan_type == "api_key"
        clock.now = CREATED + 7 * DAY - 0.001
        with pytest.raises(KeyLimitReached):
            await turn(limiter, a_key, 1)
        clock.now = CREATED + 7 * DAY
        await turn(limiter, a_key, 1)

    asyncio.run(run())


def test_a_turn_is_admitted_while_one_token_is_left(limiter):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 99)
        await turn(limiter, a_key, 5000)
        assert used(limiter, a_key) == [5099]
        with pytest.raises(KeyLimitReached):
            await turn(limiter, a_key, 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("measure", "amount"),
    [
        (Measure.TOKENS, 1010),
        (Measure.INPUT, 1000),
        (Measure.OUTPUT, 10),
        (Measure.COST, 7),
        (Measure.REQUESTS, 1),
    ],
)
def test_each_measure_counts_its_part_of_the_usage(limiter, measure, amount):
    a_key = key(limit(10**9, measure))

    async def run():
        reservation = await limiter.reserve(a_key, spend(1), "m")
        reservation.settle(Usage(1000, 900, 50, 10, 8), 7)
        assert used(limiter, a_key) == [amount]

    asyncio.run(run())


def test_a_turn_without_a_price_counts_as_the_dearest(limiter):
    a_key = key(limit(10**9, Measure.COST))

    async def run():
        reservation = await limiter.reserve(a_key, spend(1), "unknown")
        reservation.settle(Usage(input_tokens=1000), None)
        assert used(limiter, a_key) == [5000]

    asyncio.run(run())


def test_a_model_filter_leaves_other_models_alone(limiter):
    a_key = key(limit(10, model="gpt-5.4*"))

    async def run():
        await turn(limiter, a_key, 10, "gpt-5.4-mini")
        await turn(limiter, a_key, 10, "gpt-5.3-codex")
        await turn(limiter, a_key, 10, None)
        with pytest.raises(KeyLimitReached, match=r"exceeded for model gpt-5\.4\*\."):
            await turn(limiter, a_key, 1, "gpt-5.4")

    asyncio.run(run())


def test_of_several_used_up_limits_the_last_to_reset_is_named(limiter):
    a_key = key(limit(10, window="5h"), limit(10, window="7d", id=2))

    async def run():
        await turn(limiter, a_key, 10)
        with pytest.raises(KeyLimitReached, match="tokens 7d limit") as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 7 * DAY

    asyncio.run(run())


def test_keys_do_not_share_limits(limiter):
    async def run():
        await turn(limiter, key(limit(10)), 10)
        await turn(limiter, key(limit(10, id=2), id=2), 10)

    asyncio.run(run())


def test_without_a_key_nothing_is_counted(limiter):
    async def run():
        reservation = await limiter.reserve(None, spend(10), "m")
        reservation.settle(Usage(10), 0)
        reservation.release()
        assert limiter.ledger.take_increments() == []

    asyncio.run(run())


# Reservations


def test_a_turn_waits_for_reservations_instead_of_being_refused(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        (second,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        assert not second.done()
        first.settle(Usage(60), 0)
        (await second).settle(Usage(60), 0)
        assert used(limiter, a_key) == [120]

    asyncio.run(run())


def test_waiting_turns_are_refused_when_the_truth_leaves_nothing(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        (second,) = await started(limiter.reserve(a_key, spend(1), "m"))
        first.settle(Usage(100), 0)
        with pytest.raises(KeyLimitReached):
            await second

    asyncio.run(run())


def test_a_turn_admitted_on_the_last_token_keeps_the_rest_for_itself(limiter):
    a_key = key(limit(44))

    async def run():
        first = await limiter.reserve(a_key, spend(43), "m")
        second = await limiter.reserve(a_key, spend(2), "m")
        (third,) = await started(limiter.reserve(a_key, spend(42), "m"))
        first.settle(Usage(42), 0)
        await settled()
        assert not third.done()
        second.settle(Usage(2), 0)
        with pytest.raises(KeyLimitReached):
            await third

    asyncio.run(run())


def test_the_report_shows_no_more_reserved_than_is_left(limiter):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 60)
        await limiter.reserve(a_key, spend(8192), "m")
        assert limiter.report(a_key, CREATED)[0]["reserved_value"] == 40

    asyncio.run(run())


def test_a_released_turn_took_nothing(limiter):
    a_key = key(limit(100), limit(1, Measure.REQUESTS, id=2))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        (second,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        first.release()
        (await second).release()
        assert used(limiter, a_key) == [0, 0]
        assert limiter.ledger.take_increments() == []

    asyncio.run(run())


def test_a_turn_ends_once(limiter):
    a_key = key(limit(1000), concurrency=1)

    async def run():
        reservation = await limiter.reserve(a_key, spend(10), "m")
        reservation.settle(Usage(10), 0)
        reservation.settle(Usage(10), 0)
        reservation.release()
        rows = limiter.report(a_key, CREATED)
        assert [row["current_value"] for row in rows] == [10, 0]
        assert rows[0]["reserved_value"] == 0

    asyncio.run(run())


def test_the_first_to_wait_is_the_first_admitted(limiter):
    a_key = key(limit(100))
    order = []

    async def queue(name):
        reservation = await limiter.reserve(a_key, spend(8192), "m")
        order.append(name)
        reservation.settle(Usage(1), 0)

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        tasks = await started(queue("a"), queue("b"), queue("c"))
        first.settle(Usage(1), 0)
        tasks += await started(queue("d"))
        await asyncio.gather(*tasks)
        assert order == ["a", "b", "c", "d"]

    asyncio.run(run())


def test_a_turn_of_another_model_does_not_stand_in_the_queue(limiter):
    a_key = key(limit(100, model="big"))

    async def run():
        await limiter.reserve(a_key, spend(8192), "big")
        (waiting,) = await started(limiter.reserve(a_key, spend(1), "big"))
        await asyncio.wait_for(limiter.reserve(a_key, spend(1), "small"), 1)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(run())


def test_patience_ends_with_an_answer_that_may_be_retried(clock):
    limiter = Limiter(clock, max_wait=0.02)
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        with pytest.raises(GatewayOverloaded, match="hold the rest of its limit"):
            await limiter.reserve(a_key, spend(1), "m")
        first.release()
        await asyncio.wait_for(turn(limiter, a_key, 1), 1)

    asyncio.run(run())


def test_a_turn_cancelled_while_it_waits_leaves_nothing_behind(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        second, third = await started(
            limiter.reserve(a_key, spend(8192), "m"),
            limiter.reserve(a_key, spend(8192), "m"),
        )
        second.cancel()
        await settled()
        first.release()
        (await third).release()
        assert limiter.report(a_key, CREATED)[0]["reserved_value"] == 0

    asyncio.run(run())


def test_a_turn_cancelled_as_it_is_admitted_gives_its_place_to_the_next(limiter):
    a_key = key(limit(100), concurrency=1)

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        second, third = await started(
            limiter.reserve(a_key, spend(8192), "m"),
            limiter.reserve(a_key, spend(8192), "m"),
        )
        first.release()  # admits the second, which has not run yet
        second.cancel()
        (await asyncio.wait_for(third, 1)).release()
        assert second.cancelled()
        rows = limiter.report(a_key, CREATED)
        assert [row["reserved_value"] for row in rows] == [0, 0]
        assert rows[1]["current_value"] == 0

    asyncio.run(run())


def test_only_so_many_turns_of_one_key_wait(limiter):
    a_key = key(concurrency=1)

    async def run():
        await limiter.reserve(a_key, spend(1), "m")
        tasks = [
            asyncio.ensure_future(limiter.reserve(a_key, spend(1), "m"))
            for _ in range(201)
        ]
        await settled()
        assert [task.done() for task in tasks] == [False] * 200 + [True]
        with pytest.raises(GatewayOverloaded, match="are waiting"):
            await tasks.pop()
        for task in tasks:
            task.cancel()

    asyncio.run(run())


def test_the_end_of_a_window_lets_waiting_turns_in():
    began = time.monotonic()
    limiter = Limiter(lambda: CREATED + 59.95 + time.monotonic() - began)
    a_key = key(limit(100, window="1m"))

    async def run():
        await limiter.reserve(a_key, spend(8192), "m")
        await asyncio.wait_for(limiter.reserve(a_key, spend(8192), "m"), 5)

    asyncio.run(run())


def test_a_newcomer_at_the_edge_of_a_window_does_not_overtake(limiter, clock):
    a_key = key(limit(100, window="1m"))

    async def run():
        await limiter.reserve(a_key, spend(8192), "m")
        (waiting,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        clock.now = CREATED + 60
        (newcomer,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        assert waiting.done()
        assert not newcomer.done()
        newcomer.cancel()

    asyncio.run(run())


def test_a_turn_counts_in_the_window_it_was_admitted_in(limiter, clock):
    a_key = key(limit(100, window="1m"))

    async def run():
        reservation = await limiter.reserve(a_key, spend(100), "m")
        clock.now = CREATED + 61
        assert used(limiter, a_key) == [0]
        reservation.settle(Usage(100), 0)
        assert used(limiter, a_key) == [0]
        assert limiter.ledger.take_increments() == [(1, CREATED, 100)]

    asyncio.run(run())


def test_large_turns_are_expected_again_whatever_their_bodies_say(limiter):
    a_key = key(limit(1000))

    async def run():
        (await limiter.reserve(a_key, spend(1), "m")).settle(Usage(400), 0)
        running = await limiter.reserve(a_key, spend(1), "m")
        await limiter.reserve(a_key, spend(1), "m")
        (waiting,) = await started(limiter.reserve(a_key, spend(1), "m"))
        assert not waiting.done()
        running.settle(Usage(5), 0)
        await waiting

    asyncio.run(run())


def test_the_memory_of_a_large_turn_fades(limiter):
    a_key = key(limit(1000))

    async def run():
        await turn(limiter, a_key, 400)
        for _ in range(30):
            await turn(limiter, a_key, 1)
        await limiter.reserve(a_key, spend(1), "m")
        assert limiter.report(a_key, CREATED)[0]["reserved_value"] < 40

    asyncio.run(run())


def test_an_estimate_of_nothing_still_holds_a_place(limiter):
    a_key = key(limit(1, Measure.COST))

    async def run():
        await limiter.reserve(a_key, spend(0), "m")
        (waiting,) = await started(limiter.reserve(a_key, spend(0), "m"))
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(run())


# Rate and concurrency


def test_requests_per_minute_are_refused_with_the_second_of_the_next(limiter, clock):
    a_key = key(rpm=2)

    async def run():
        await turn(limiter, a_key, 1)
        clock.now += 20.5
        await turn(limiter, a_key, 1)
        clock.now += 39
        with pytest.raises(KeyLimitReached, match="requests per minute") as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 70
        clock.now = CREATED + 70
        await turn(limiter, a_key, 1)
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 91  # 90.5, rounded up

    asyncio.run(run())


def test_a_lowered_rate_names_when_enough_have_left(limiter, clock):
    async def run():
        for _ in range(3):
            await turn(limiter, key(rpm=3), 1)
            clock.now += 10
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, key(rpm=1), 1)
        assert caught.value.resets_at == CREATED + 90

    asyncio.run(run())


def test_a_clock_set_back_does_not_lock_a_key_out(limiter, clock):
    a_key = key(rpm=1)

    async def run():
        await turn(limiter, a_key, 1)
        clock.now -= 5
        await turn(limiter, a_key, 1)

    asyncio.run(run())


def test_turns_above_the_concurrency_wait_for_one_to_end(limiter):
    a_key = key(concurrency=2)

    async def run():
        first = await limiter.reserve(a_key, spend(1), "m")
        await limiter.reserve(a_key, spend(1), "m")
        (third,) = await started(limiter.reserve(a_key, spend(1), "m"))
        assert not third.done()
        first.release()
        await third

    asyncio.run(run())


# Persistence


def test_changed_counters_are_handed_over_once_and_restored(limiter, clock):
    a_key = key(limit(100), limit(9, Measure.REQUESTS, "1d", id=2))

    async def run():
        await turn(limiter, a_key, 10)
        await turn(limiter, a_key, 20)
        rows = limiter.ledger.take_increments()
        assert rows == [(1, CREATED, 30), (2, CREATED, 2)]
        assert limiter.ledger.take_increments() == []
        other = Limiter(clock)
        other.ledger.restore(rows)
        assert other.report(a_key, CREATED) == limiter.report(a_key, CREATED)

    asyncio.run(run())


def test_counters_of_past_windows_are_not_restored(limiter, clock):
    a_key = key(limit(100, window="1m"))
    limiter.ledger.restore([(1, CREATED, 100), (1, CREATED + 60, 40)])
    clock.now = CREATED + 65
    assert used(limiter, a_key) == [40]
    clock.now = CREATED + 120
    assert used(limiter, a_key) == [0]


def test_a_new_limit_does_not_inherit_the_counter_of_its_id(limiter):
    async def run():
        await turn(limiter, key(limit(100)), 50)
        assert used(limiter, key(limit(100, Measure.INPUT))) == [0]

    asyncio.run(run())


def test_a_changed_maximum_keeps_what_was_used(limiter):
    async def run():
        await turn(limiter, key(limit(50)), 50)
        assert used(limiter, key(limit(100))) == [50]
        await turn(limiter, key(limit(100)), 10)

    asyncio.run(run())


def test_limits_no_key_has_any_more_are_forgotten(limiter):
    async def run():
        await turn(limiter, key(limit(50)), 50)
        limiter.ledger.restore([(2, CREATED, 50)])
        limiter.ledger.retain(iter([key(limit(50))]))
        assert used(limiter, key(limit(50))) == [50]
        limiter.ledger.retain([])
        assert used(limiter, key(limit(50), limit(50, id=2))) == [0, 0]

    asyncio.run(run())


def test_a_clock_set_back_does_not_give_a_window_back(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        clock.now = CREATED + 61
        await turn(limiter, a_key, 50)
        clock.now = CREATED + 59
        with pytest.raises(KeyLimitReached):
            await turn(limiter, a_key, 1)

    asyncio.run(run())


def test_a_clock_that_was_far_ahead_does_not_hold_the_counter_there(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        clock.now = CREATED + 365 * DAY
        await turn(limiter, a_key, 50)
        clock.now = CREATED + 10
        await turn(limiter, a_key, 50)
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 60

    asyncio.run(run())


def test_a_clock_before_the_creation_is_in_the_first_window(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        clock.now = CREATED - 1000
        await turn(limiter, a_key, 50)
        assert used(limiter, a_key) == [50]

    asyncio.run(run())


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


def test_an_estimate_grows_with_the_body_up_to_the_longest_context():
    least = Charge.estimate(0, "gpt-5.4")
    assert (least.input, least.output, least.price) == (1, 8192, 122_883)
    assert Charge.estimate(4000, "gpt-5.4", "priority").price == 1000 * 5 + 8192 * 30
    assert Charge.estimate(10**9, "unknown").input == 400_000
