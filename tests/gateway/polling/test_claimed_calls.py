"""Calls that one of several processes makes for all, upstream on a real socket."""

import time

import pytest

from gateway.polling import judges
from gateway.repository.claims import Claims
from gateway.store.database import StoreUnavailable
from tests.gateway.polling.accounts_api import parts
from tests.gateway.polling.test_judges import CHATGPT, DRAWN, draw, judged

pytestmark = pytest.mark.gen_test


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(judges, "CALL_SPACING", 0.0)


@pytest.fixture
def theirs(store):
    """What another process claims."""
    claims = Claims(store)
    claims.member_id = 2
    return claims


def join(made, store):
    """Have others beside it, in the same database."""
    claims = Claims(store)
    claims.member_id = 1
    made.usage._claims = made.judges._claims = claims
    made.pool.verdicts.witnesses.is_shared = True
    made.judges.members = 2


async def test_usage_that_another_polls_is_left_to_it(store, theirs):
    async with parts() as made:
        join(made, store)
        await theirs.take("usage:1", 60)
        await made.usage.poll_due()
        assert not made.upstream.requests
        account = made.pool.accounts[CHATGPT]
        account.last_choice += 1
        assert not made.usage.is_due(account, time.time() + 5)
        assert made.usage.is_due(account, time.time() + 11)  # that one may have ended
        await theirs.release("usage:1")
        made.usage._due.clear()
        await made.usage.poll_due()
        assert len(made.upstream.requests) == 1
        assert not await theirs.take("usage:1", 60)  # for a minute it is done


async def test_a_judge_that_another_asks_is_asked_later(store, theirs):
    async with parts() as made:
        join(made, store)
        name = f"judge:{CHATGPT}:False"
        await theirs.take(name, 60)
        draw(made, CHATGPT, DRAWN["401"])
        await judged(made, CHATGPT)
        assert not made.upstream.requests
        question = judges.Question(CHATGPT, is_handshake=False)
        assert question in made.judges._open
        await theirs.release(name)
        made.judges._docket(question).next_at = 0.0
        await judged(made, CHATGPT)
        assert len(made.upstream.requests) == 1


async def test_without_the_database_each_asks_for_itself(store, theirs):
    class Away(Claims):
        async def take(self, name, seconds):
            raise StoreUnavailable

    async with parts() as made:
        join(made, store)
        made.usage._claims = made.judges._claims = Away(store)
        await made.usage.poll_due()
        draw(made, CHATGPT, DRAWN["401"])
        await judged(made, CHATGPT)
        assert len(made.upstream.requests) == 2
