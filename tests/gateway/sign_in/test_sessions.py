"""How long sessions last, whose they are, and what ends them."""

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.admin import keys
from gateway.admission.client_address import RequestFacts
from gateway.errors import InvalidPayload
from gateway.repository.keys import load_keys
from gateway.settings import Settings
from gateway.sign_in import sessions
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.guesses import SignInRefused
from gateway.sign_in.sessions import BrowserFacts, xsrf_token
from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from gateway.store.users.tables import SessionRow, UserRow
from tests.gateway.sign_in.conftest import AWAY, CHEAP, HOME
from tests.gateway.sign_in.test_sign_in import enter, forget_guesses, session_of


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("browser", "lifetime"), [(HOME, 12 * 3600), (AWAY, 30 * 24 * 3600)]
)
async def test_a_session_lasts_as_long_as_its_transport_allows(
    sign_in, people, browser, lifetime
):
    await people(ada="owner")
    token = await enter(sign_in, browser=browser)
    begun = session_of(sign_in, token).created_at
    session = session_of(sign_in, token)
    assert session.expires_at - begun == lifetime
    seen = replace(session, seen_at=begun + lifetime - 1)
    assert not seen.is_over(begun + lifetime - 1)
    assert seen.is_over(begun + lifetime)
    idle = begun + sessions.IDLE_SECONDS
    assert session.is_over(idle)
    assert sign_in.find(token, idle) is None


@pytest.mark.gen_test
async def test_a_sign_in_is_fresh_for_ten_minutes_and_again_once_confirmed(
    sign_in, people, store
):
    await people(ada="owner")
    token = await enter(sign_in)
    session = session_of(sign_in, token)
    assert session.is_fresh(session.signed_in_at + 599)
    assert not session.is_fresh(session.signed_in_at + 600)
    older = SessionRow.update(signed_in_at=0).where(SessionRow.id == session.id)
    await store.write(older.execute)
    await sign_in.load()
    session = session_of(sign_in, token)
    with pytest.raises(SignInRefused):
        await sign_in.confirm(session, "wrong password", "", HOME)
    assert not session_of(sign_in, token).is_fresh(time.time())
    await forget_guesses(sign_in, store)
    await sign_in.confirm(session, "correct horse battery", "", HOME)
    assert session_of(sign_in, token).is_fresh(time.time())


@pytest.mark.gen_test
async def test_that_it_was_seen_is_written_once_a_minute(sign_in, people, store):
    await people(ada="owner")
    token = await enter(sign_in, browser=AWAY)
    begun = session_of(sign_in, token).seen_at
    for late in (1, 59, 61, 62, 119):
        sign_in.find(token, begun + late)
        await store.flush()
        row = await store.read(SessionRow.get)
        assert row.seen_at == int((begun + (0 if late < 60 else 61)) * 1000)


@pytest.mark.gen_test
async def test_the_twenty_first_ends_the_oldest(sign_in, people):
    await people(ada="owner", bob="viewer")
    bobs = await enter(sign_in, "bob")
    tokens = [await enter(sign_in) for _ in range(sessions.MOST_SESSIONS + 1)]
    open_ones = [session_of(sign_in, token) is not None for token in tokens]
    assert open_ones == [False, *[True] * sessions.MOST_SESSIONS]
    assert session_of(sign_in, bobs)


@pytest.mark.gen_test
async def test_a_session_that_was_ended_is_none_and_the_audit_says_by_whom(
    sign_in, people, store
):
    await people(ada="owner", bob="viewer")
    bobs, adas = await enter(sign_in, "bob"), await enter(sign_in)
    await sign_in.sign_out(session_of(sign_in, bobs), "user:ada")
    assert session_of(sign_in, bobs) is None
    assert [one.user_id for one in sign_in.sessions(time.time())] == [1]
    assert session_of(sign_in, adas)
    last = await store.read(lambda: AuditLog.select()[-1])
    assert (last.actor, last.action, last.target) == ("user:ada", "session.end", "bob")


@pytest.mark.gen_test
async def test_a_number_is_never_another_sessions(sign_in, people):
    await people(ada="owner")
    first = session_of(sign_in, await enter(sign_in))
    await sign_in.sign_out(first, "user:ada")
    assert session_of(sign_in, await enter(sign_in)).id > first.id


@pytest.mark.gen_test
async def test_a_disabled_users_sessions_are_none_at_once(sign_in, people, store):
    await people(ada="owner")
    token = await enter(sign_in)
    await store.write(UserRow.update(is_disabled=True).execute)
    await sign_in.load()
    assert session_of(sign_in, token) is None


async def _holder(sign_in, store, ring, **rules):
    await store.write(add_user, "ada", Role.OWNER, CHEAP)
    await sign_in.load()
    made = await store.write(keys.create_key, "laptop", rules, "test")
    ring.replace(await store.read(load_keys))
    token = await sign_in.sign_in_with_key(made.token.reveal(), HOME)
    assert session_of(sign_in, token)
    return token, made.token.reveal()


async def _change(store, ring, function, *args, **more):
    result = await store.write(lambda: function("laptop", *args, "test", **more))
    ring.replace(await store.read(load_keys))
    return result


@pytest.mark.gen_test
async def test_a_key_holders_session_is_nobodys_but_the_keys(sign_in, store, ring):
    token, _ = await _holder(sign_in, store, ring)
    session = session_of(sign_in, token)
    assert sign_in.user_of(session) is None
    assert sign_in.key_of(session, time.time()).name == "laptop"
    with pytest.raises(SignInRefused):
        await sign_in.change_password(session, "a long enough password")
    with pytest.raises(SignInRefused):
        await sign_in.confirm(session, "", "", HOME)


@pytest.mark.gen_test
@pytest.mark.parametrize("end", ["disable", "remove", "rotate", "expire"])
async def test_a_key_holders_session_ends_with_that_token(sign_in, store, ring, end):
    token, first = await _holder(sign_in, store, ring)
    if end == "disable":
        await _change(store, ring, keys.set_disabled, disabled=True)
        await _change(store, ring, keys.set_disabled, disabled=False)
    elif end == "remove":
        await _change(store, ring, keys.remove_key)
    elif end == "rotate":
        await _change(store, ring, keys.replace_token)
    else:
        ring.replace([replace(key, expires_at=1.0) for key in ring])
    await sign_in.load()
    assert session_of(sign_in, token) is None
    if end != "disable":
        with pytest.raises(SignInRefused):
            await sign_in.sign_in_with_key(first, HOME)


@pytest.mark.gen_test
async def test_a_session_of_a_rotated_token_ends_with_its_overlap(sign_in, store, ring):
    token, _ = await _holder(sign_in, store, ring)
    await store.write(keys.replace_token, "laptop", "test", "1h")
    ring.replace(await store.read(load_keys))
    await sign_in.load()
    assert session_of(sign_in, token)
    assert sign_in.find(token, time.time() + 3601) is None


def test_what_a_form_holds_is_the_sessions_own_and_tells_nothing_of_it():
    one, other = sessions.new_token(), sessions.new_token()
    assert xsrf_token(one) == xsrf_token(one) != xsrf_token(other)
    assert one not in xsrf_token(one)


def test_a_browser_is_what_trusted_proxies_say_it_is():
    settings = Settings.from_env(dotenv="/dev/null")
    headers = {"user-agent": "a\x1b[31m" + "x" * 500, "x-forwarded-proto": "https"}
    seen = BrowserFacts.of(RequestFacts("198.51.100.7", headers), settings)
    assert not seen.has_tls
    assert (seen.address, len(seen.user_agent)) == ("198.51.100.7", 200)
    assert seen.user_agent.isprintable()


@pytest.mark.gen_test
async def test_a_session_that_ends_while_a_password_is_hashed_changes_nothing(
    sign_in, people
):
    await people(ada="owner")
    mine = sign_in.find(await enter(sign_in), time.time())
    kept = sign_in.user_of(mine).password
    changing = asyncio.ensure_future(sign_in.change_password(mine, "quite another one"))
    await asyncio.sleep(0)  # it has begun
    await sign_in.sign_out(mine, "another owner")
    with pytest.raises(InvalidPayload, match="nothing was changed"):
        await changing
    assert sign_in.user_named("ada").password == kept
