"""Limits while the database is away, and with it what others use of them."""

import asyncio

import pytest

from gateway.keys.counters import Charge
from gateway.keys.input_estimate import InputSize
from gateway.keys.key import parse_limit
from gateway.keys.limiter import Limiter
from gateway.keys.metering import MeteredTurn, Metering
from gateway.keys.reservation import LimitsUnknown
from gateway.keys.shared.share import Share
from gateway.keys.texts.limit_changes import raise_limit
from gateway.pricing.pricing import Prices
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import Clock, key

CLOSED, OPEN = (parse_limit(f"tokens 1M/1d{more}") for more in ("", " open"))
OF_ANOTHER = parse_limit("cost 1/1h model=gpt-6*")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("tokens 2M/7d open", "tokens 2000000/7d open"),
        ("cost 5.5 per 3 months model=gpt-5* OPEN", "cost 5.5/90d model=gpt-5* open"),
        ("tokens 2M/7d model=open", "tokens 2000000/7d model=open"),
        ("tokens 2M/7d model=open open", "tokens 2000000/7d model=open open"),
    ],
)
def test_a_limit_that_stays_open_is_read_and_written(text, stored):
    limit = parse_limit(text)
    assert str(limit) == stored
    assert parse_limit(stored) == limit
    assert limit.is_open is stored.endswith("/7d open") or " open" in stored


@pytest.mark.parametrize("text", ["tokens 2M/7d opens", "tokens 2M/7d open model=a"])
def test_a_word_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="limit"):
        parse_limit(text)


def test_an_open_limit_that_is_raised_stays_open():
    assert raise_limit([OPEN], "tokens +1M") == [parse_limit("tokens 2M/1d open")]


class Database:
    """What a process knows of it, at once and after some seconds."""

    def __init__(self, *, is_there=False, comes_back=False):
        self.is_there, self.comes_back = is_there, comes_back

    def may_spend(self):
        return self.is_there

    async def confirm(self):
        return self.comes_back


def reserve(metering, a_key):
    size = InputSize(1_000)
    turn = MeteredTurn(a_key, "gpt-5.4", None, "x", generates=True, size=size)
    asyncio.run(metering.reserve(turn))


def test_a_process_that_was_stopped_refuses_nobody_before_its_first_beat():
    woken = Metering(Limiter(Clock()), Prices(), spending=Database(comes_back=True))
    reserve(woken, key(CLOSED))


@pytest.mark.parametrize(
    ("limits", "is_refused"),
    [
        ([CLOSED], True),
        ([OPEN, CLOSED], True),
        ([OPEN], False),
        ([OF_ANOTHER], False),
        ([], False),
    ],
)
def test_a_closed_limit_refuses_what_nobody_counts_with(limits, is_refused):
    away = Metering(Limiter(Clock()), Prices(), spending=Database())
    there = Metering(Limiter(Clock()), Prices(), spending=Database(is_there=True))

    mine = key(*limits)
    reserve(there, mine)
    reserve(away, None)
    if not is_refused:
        reserve(away, mine)
        return
    with pytest.raises(LimitsUnknown) as refused:
        reserve(away, mine)
    assert (refused.value.status, refused.value.code) == (503, "database_unavailable")
    assert refused.value.headers(codex=True) == {}


@pytest.mark.gen_test
async def test_who_waits_is_not_refused_before_the_database_is_known_to_be_away():
    limiter = Limiter(Clock())
    shared, mine = limiter.shared, key(CLOSED)
    shared.begin([mine])
    charge = Charge(Usage(10), 0)
    waiting = asyncio.create_task(limiter.reserve(mine, charge, "m"))
    await asyncio.sleep(0)
    (holding,) = shared.holdings()
    shared.may_spend = lambda: False  # it was stopped
    shared.take({holding.resource: Share(1_000)}, {})
    await asyncio.sleep(0)
    assert not waiting.done()
    shared.may_spend = lambda: True
    shared.take({holding.resource: Share(1_000)}, {})
    (await waiting).release()
    # What is granted is none of its own either, from one moment to the next.
    shared.may_spend = lambda: False
    shared.is_cut_off = lambda: True
    with pytest.raises(LimitsUnknown):
        await limiter.reserve(mine, charge, "m")
