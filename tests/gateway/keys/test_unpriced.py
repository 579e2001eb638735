"""What a cost limit makes of a turn that has no price."""

import asyncio
import json

import pytest

from gateway.keys.counters import Charged
from gateway.keys.input_estimate import InputSize
from gateway.keys.key import Measure
from gateway.keys.limiter import Limiter
from gateway.keys.metering import MeteredTurn, Metering, TurnEnd
from gateway.keys.model_errors import ModelNotPriced
from gateway.pricing.pricing import Prices
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import Clock, key, limit, used

BUDGET = key(limit(10**9, Measure.COST))
USED = Usage(1_000, output_tokens=10)
DEAREST = 60 * 1_000 + 270 * 10  # of the shipped standard prices


@pytest.fixture
def limiter():
    return Limiter(Clock())


def charged(limiter, asked, *, a_key=BUDGET, prices=None, **served):
    turn = MeteredTurn(a_key, asked, None, "x", generates=True, size=InputSize(1_000))
    told = {"model": asked, "tier": None, "account": "one", **served}
    end = TurnEnd("success", USED, response=None, streamed=0, seconds=None, **told)
    metering = Metering(limiter, prices or Prices())

    async def whole():
        await metering.reserve(turn)
        return metering.settle(turn, end)

    return asyncio.run(whole())


def test_a_turn_without_a_price_counts_as_the_dearest_and_says_so(limiter):
    assert charged(limiter, "unknown") == Charged(USED, None, DEAREST)
    assert used(limiter, BUDGET) == [DEAREST]


def test_a_priced_turn_counts_what_it_costs(limiter):
    assert charged(limiter, "gpt-5.4")[:3] == (USED, 2_650, None)
    assert used(limiter, BUDGET) == [2_650]


@pytest.mark.parametrize("served", [{"model": "unknown"}, {"tier": "scale"}])
def test_what_was_served_counts_not_what_was_asked_for(limiter, served):
    told = charged(limiter, "gpt-5.4", **served)
    assert (told.usage, told.cost) == (USED, None)
    assert [told.counted] == used(limiter, BUDGET)
    assert told.counted >= DEAREST


def test_where_no_limit_counts_cost_nothing_is_counted(limiter):
    for a_key in (key(limit(10**9)), key(), None):
        assert charged(limiter, "unknown", a_key=a_key) == Charged(USED)


def test_an_accounts_own_price_is_what_its_turns_cost(limiter, tmp_path):
    rates = [{"input": 8, "output": 0}]
    own = {"accounts": {"azure": [{"match": ["gpt-5.4"], "rates": rates}]}}
    (tmp_path / "own.json").write_text(json.dumps(own))
    prices = Prices(tmp_path / "own.json")
    assert charged(limiter, "gpt-5.4", prices=prices, account="azure").cost == 8_000
    assert charged(limiter, "gpt-5.4", prices=prices, account="two").cost == 2_650


def reserve(limiter, a_key, model, tier=None, tokens=1_000, by_default="refuse"):
    size = InputSize(tokens)
    turn = MeteredTurn(a_key, model, tier, "x", generates=True, size=size)
    metering = Metering(limiter, Prices(), by_default)
    asyncio.run(metering.reserve(turn))


@pytest.mark.parametrize(
    ("model", "tier", "tokens"),
    [
        ("unknown", None, 1_000),
        (None, None, 1_000),
        ("gpt-5.4", "scale", 1_000),
        ("gpt-5.4", "priority", 300_000),
    ],
)
def test_an_owner_may_have_it_refused(limiter, model, tier, tokens):
    with pytest.raises(ModelNotPriced, match="has no price here"):
        reserve(limiter, BUDGET, model, tier, tokens)
    assert limiter.open_reservations == 0


@pytest.mark.parametrize(
    ("a_key", "model", "tier"),
    [
        (BUDGET, "gpt-5.4", None),
        (BUDGET, "gpt-5.4", "flex"),
        (key(limit(10**9)), "unknown", None),
        (key(limit(10**9, Measure.COST, model="gpt-*")), "unknown", None),
        (None, "unknown", None),
    ],
)
def test_what_is_not_refused(limiter, a_key, model, tier):
    reserve(limiter, a_key, model, tier)


def test_a_key_may_say_it_for_itself(limiter):
    limits = (limit(10**9, Measure.COST),)
    with pytest.raises(ModelNotPriced):
        reserve(limiter, key(*limits, unpriced="refuse"), "unknown", by_default="x")
    reserve(limiter, key(*limits, id=2, unpriced="dearest"), "unknown")
