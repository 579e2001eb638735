"""What a turn is charged for where upstream did not count it."""

import asyncio

import pytest

from gateway.keys.input_estimate import InputSize
from gateway.keys.limiter import Limiter
from gateway.keys.metering import MeteredTurn, Metering, TurnEnd, document_usage
from gateway.pricing.pricing import Prices
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import Clock, key, limit, used

KEY = key(limit(200_000))


@pytest.fixture
def limiter():
    return Limiter(Clock())


@pytest.fixture
def metering(limiter):
    return Metering(limiter, Prices())


def metered(tokens=1_000, **fields):
    turn = MeteredTurn(
        KEY, "gpt-5.4", None, "gpt-5.4", generates=True, size=InputSize(tokens)
    )
    for name, value in fields.items():
        setattr(turn, name, value)
    return turn


def ended(status, usage=None, *, streamed=0, seconds=None, response=None):
    return TurnEnd(status, usage, "gpt-5.4", None, response, "one", streamed, seconds)


def run(metering, turn, end):
    async def whole():
        await metering.reserve(turn)
        charged = metering.settle(turn, end)
        assert charged.is_estimate == bool(charged.usage and not end.usage)
        return charged[:2]

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("end", "charged"),
    [
        # Counted by upstream.
        (ended("success", Usage(5, output_tokens=7)), (5, 7)),
        (ended("error", Usage(5, output_tokens=7)), (5, 7)),
        # Whole, and not counted.
        (ended("success"), (1_000, 0)),
        (ended("success", streamed=1_500), (1_000, 10)),
        # Left: before upstream had it, while it thought, while it wrote.
        (ended("interrupted"), None),
        (ended("interrupted", seconds=0.0), (1_000, 0)),
        (ended("interrupted", seconds=10.0), (1_000, 600)),
        (ended("interrupted", seconds=10.0, streamed=150_000), (1_000, 1_000)),
        # Refused, and broken off by upstream.
        (ended("error", seconds=10.0), None),
        (ended("error", seconds=10.0, streamed=1), (1_000, 0)),
        (ended("error", seconds=10.0, streamed=150_000), (1_000, 1_000)),
    ],
)
def test_what_a_turn_is_charged_for(limiter, metering, end, charged):
    usage, cost = run(metering, metered(), end)
    if charged is None:
        assert (usage, cost) == (None, None)
    else:
        assert (usage.input_tokens, usage.output_tokens) == charged
        assert cost > 0
    assert used(limiter, KEY) == [sum(charged or (0,))]


def test_who_leaves_pays_at_the_speed_that_was_measured(limiter, metering):
    counted = Usage(1_000, output_tokens=4_000)
    run(metering, metered(), ended("success", counted, seconds=20.0))
    usage, _ = run(metering, metered(), ended("interrupted", seconds=30.0))
    assert usage.output_tokens == 6_000


def test_who_leaves_pays_at_most_what_was_reserved(limiter, metering):
    usage, _ = run(metering, metered(), ended("interrupted", seconds=86_400.0))
    assert usage.output_tokens == 128_000  # what the model writes at most
    assert used(limiter, KEY) == [101_000]  # half of what was left


def test_who_leaves_large_turns_is_expected_to_go_on_with_large_ones(limiter, metering):
    for _ in range(5):
        run(metering, metered(), ended("success", Usage(1_000, output_tokens=10)))
    before = used(limiter, KEY)[0]
    left = ended("interrupted", streamed=150 * 50_000, seconds=1.0)
    run(metering, metered(), left)
    assert used(limiter, KEY)[0] - before == 1_000 + 4_000
    asyncio.run(metering.reserve(metered()))
    (counter,) = limiter.ledger.all_counters(KEY, limiter._clock())
    assert counter.reserved == 1_000 + 50_000


def test_what_upstream_counted_is_charged_however_little_was_reserved(
    limiter, metering
):
    run(metering, metered(), ended("interrupted", Usage(10**6)))
    assert used(limiter, KEY) == [10**6]


def test_an_endpoint_without_a_model_is_charged_its_input(limiter, metering):
    turn = metered(70, generates=False, model=None, kind="transcribe")
    usage, _ = run(metering, turn, ended("success", streamed=10**6, seconds=3.0))
    assert usage == Usage(70)
    turn = metered(70, generates=False, model=None, kind="transcribe")
    usage, _ = run(metering, turn, ended("interrupted", seconds=3.0))
    assert usage == Usage(70)


def test_the_next_turn_of_a_conversation_costs_what_was_counted(metering):
    counted = Usage(50_000, output_tokens=2_000)
    first = metered(names=("a",))
    run(metering, first, ended("success", counted, response="r1"))
    usage, _ = run(
        metering,
        metered(10, names=("a",), previous="r1"),
        ended("interrupted", seconds=0.0),
    )
    assert usage.input_tokens == 52_010


def test_without_a_key_nothing_is_reserved(metering):
    usage, cost = run(metering, metered(key=None), ended("success", Usage(5)))
    assert usage == Usage(5)
    assert cost > 0


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        ({"usage": {"input_tokens": 7, "output_tokens": 2}}, 7),
        ({"usage": {"prompt_tokens": 7}}, 7),
        ({"usage": {"type": "duration", "seconds": 12}}, 120),
        ({"usage": {"type": "duration", "seconds": 1e306}}, 864_000),
        ({"usage": {"seconds": "NaN"}}, None),
        ({"usage": {"input_tokens": 0}}, None),
        ({"usage": [1]}, None),
        ({}, None),
    ],
)
def test_an_answer_tells_tokens_or_seconds_of_speech(told, tokens):
    usage = document_usage(told)
    assert (usage and usage.input_tokens) == tokens
