"""Who signs in at one process, and is known at another of the same database."""

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.admission.lookups import LOOKUPS_PER_MINUTE
from gateway.sign_in import links
from gateway.sign_in.delays import SignInTooSoon
from gateway.sign_in.sessions import IDLE_SECONDS
from gateway.sign_in.sign_in import SignIn
from gateway.store.users.tables import SessionRow
from tests.gateway.sign_in.conftest import AWAY, HOME, PASSWORD
from tests.gateway.sign_in.test_sign_in import NEW, enter, refused, session_of


@pytest.fixture
def other(store, ring):
    """Another process, as far as it has not loaded anything."""
    made = SignIn(store, store.secrets, ring)
    yield made
    made.close()


async def found(sign_in, token, network="198.51.100.7"):
    """As a page finds a session."""
    if sign_in.is_unknown(token, time.time()):
        await sign_in.learn(token, network)
    return session_of(sign_in, token)


@pytest.mark.gen_test
async def test_a_session_that_another_process_began_is_read_once(
    sign_in, other, people
):
    ada = (await people(ada="owner")).ada
    token = await enter(sign_in)
    session = await found(other, token)
    assert other.user_of(session).id == ada.id
    assert not other.is_unknown(token, time.time())
    for wrong in ("", "x" * 101, "ä"):
        assert not other.is_unknown(wrong, time.time())


@pytest.mark.gen_test
async def test_a_first_link_opens_every_process(sign_in, other, store):
    link = await store.write(links.make_link, links.NOBODY, time.time())
    token = await sign_in.use_link(link, "ada", NEW, HOME)
    assert await found(other, token)
    assert other.is_set_up
    with pytest.raises(links.LinkOver):
        await other.use_link(link, "eve", NEW, HOME)


@pytest.mark.gen_test
async def test_made_up_sessions_cost_an_address_few_lookups(sign_in, other, people):
    await people(ada="owner")
    token = await enter(sign_in)
    for number in range(LOOKUPS_PER_MINUTE):
        assert await found(other, f"made-up-{number}") is None
    assert await found(other, token) is None
    assert await found(other, token, "203.0.113.5")


@pytest.mark.gen_test
async def test_a_session_that_is_used_elsewhere_is_not_idle(
    sign_in, other, people, store
):
    await people(ada="owner")
    token = await enter(sign_in, browser=AWAY)
    await other.load()
    long_ago = time.time() - IDLE_SECONDS - 60
    session = replace(session_of(sign_in, token), seen_at=long_ago)
    for one in (sign_in, other):  # neither has seen it since
        one._sessions[session.digest] = session
        assert one.is_unknown(token, time.time())
    assert session_of(other, token) is None
    await store.flush()
    assert await found(sign_in, token)  # another has, and so it was not ended
    idle = SessionRow.update(seen_at=int(long_ago * 1000))
    await store.write(idle.execute)
    await sign_in.load()
    assert await found(sign_in, token) is None
    await store.flush()
    assert await store.read(SessionRow.select().count) == 0


@pytest.mark.gen_test
async def test_a_wrong_guess_counts_at_every_process(sign_in, other, people):
    await people(ada="owner")
    await other.load()
    await refused(sign_in, password="wrong password")
    for one in (other, sign_in):
        with pytest.raises(SignInTooSoon):
            await enter(one)


@pytest.mark.gen_test
async def test_guesses_at_all_processes_at_once_are_one(sign_in, other, people):
    await people(ada="owner")
    await other.load()
    told = await asyncio.gather(
        *(enter(one, password="wrong") for one in (sign_in, other) * 20),
        return_exceptions=True,
    )
    assert sum(isinstance(one, SignInTooSoon) for one in told) == 39


@pytest.mark.gen_test
async def test_a_right_guess_is_forgiven_at_every_process(sign_in, other, people):
    await people(ada="owner")
    await other.load()
    for one in (sign_in, other, sign_in, other):
        assert await enter(one, password=PASSWORD, browser=AWAY)
