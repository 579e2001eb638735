"""Who may come in, how often, and from where they are kept waiting."""

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.errors import GatewayOverloaded, InvalidPayload
from gateway.keys.key import digest
from gateway.sign_in import account_rows, totp
from gateway.sign_in.delays import SignInTooSoon
from gateway.sign_in.guesses import Guesses, SignInRefused
from gateway.sign_in.sign_in import SignIn
from gateway.sign_in.users import Role
from gateway.store.users.tables import FailedSignInRow, SessionRow, UserRow
from tests.gateway.sign_in.conftest import AWAY, HOME, PASSWORD
from tests.gateway.sign_in.test_totp import SECRET

NEW = "another long password"


async def enter(sign_in, name="ada", password=PASSWORD, code="", browser=HOME):
    return await sign_in.sign_in(name, password, code, browser)


async def refused(sign_in, *args, **given):
    with pytest.raises(SignInRefused) as told:
        await enter(sign_in, *args, **given)
    return str(told.value)


def session_of(sign_in, token):
    return sign_in.find(token, time.time())


async def forget_guesses(sign_in, store):
    """As if an hour had passed."""
    await store.write(FailedSignInRow.delete().execute)
    sign_in.guesses = Guesses(store)


def authenticator_code(ahead=0):
    return totp.pyotp.TOTP(SECRET).at(time.time(), counter_offset=ahead)


@pytest.mark.gen_test
async def test_name_and_password_open_a_session_of_which_the_digest_rests(
    sign_in, people, store
):
    await people(ada="owner")
    token = await enter(sign_in, " ADA ")
    session = session_of(sign_in, token)
    assert sign_in.user_of(session).name == "ada"
    assert session.is_fresh(time.time())
    rows = await store.read(lambda: list(SessionRow.select().dicts()))
    assert [row["digest"] for row in rows] == [digest(token)]
    assert token not in str(rows)
    assert session_of(sign_in, token + "x") is None
    assert session_of(sign_in, digest(token)) is None


@pytest.mark.gen_test
async def test_all_that_may_be_wrong_is_told_alike(sign_in, people, store):
    await people(ada="owner", eve="viewer", bob="viewer")
    disable = UserRow.update(is_disabled=True).where(UserRow.name == "eve")
    no_password = UserRow.update(password=None).where(UserRow.name == "bob")
    await store.write(disable.execute)
    await store.write(no_password.execute)
    await sign_in.load()
    told = [
        await refused(sign_in, name, password, browser=replace(HOME, network=name))
        for name, password in [
            ("ada", "wrong password"),
            ("nobody", PASSWORD),
            ("eve", PASSWORD),
            ("bob", PASSWORD),
        ]
    ]
    assert set(told) == {"Name, password or code is wrong"}


@pytest.mark.gen_test
async def test_the_authenticators_code_is_needed_and_opens_once(sign_in, people, store):
    await people(ada="owner")
    session = session_of(sign_in, await enter(sign_in))
    codes = await sign_in.set_totp(session, SECRET, authenticator_code(0))
    for wrong in ("", "000000", authenticator_code(0)):
        await forget_guesses(sign_in, store)
        await refused(sign_in, code=wrong)
    await forget_guesses(sign_in, store)
    good = authenticator_code(1)
    assert await enter(sign_in, code=good)
    await refused(sign_in, code=good)
    await forget_guesses(sign_in, store)
    assert await enter(sign_in, code=codes[3].upper())
    await refused(sign_in, code=codes[3])
    assert sign_in.user_named("ada").recovery_codes == 9


@pytest.mark.gen_test
async def test_a_code_that_two_present_at_once_lets_one_in(sign_in, people, store):
    ada = (await people(ada="owner")).ada
    session = session_of(sign_in, await enter(sign_in))
    await sign_in.set_totp(session, SECRET, authenticator_code(0))
    good, now = authenticator_code(1), time.time()
    taken = [
        await store.write(account_rows.take_code, ada, good, store.secrets, now)
        for _ in range(3)
    ]
    assert taken == [True, False, False]


@pytest.mark.gen_test
async def test_the_secret_rests_encrypted_and_survives_another_key(
    sign_in, people, store
):
    from gateway.store.key_rotation import rotate_key

    await people(ada="owner")
    session = session_of(sign_in, await enter(sign_in))
    await sign_in.set_totp(session, SECRET, authenticator_code(0))
    row = await store.read(UserRow.get)
    assert SECRET not in str(row.__data__)
    await rotate_key(store, store.secrets)
    assert await enter(sign_in, code=authenticator_code(1))


@pytest.mark.gen_test
async def test_a_wrong_proof_of_the_authenticator_changes_nothing(sign_in, people):
    await people(ada="owner")
    session = session_of(sign_in, await enter(sign_in))
    for secret, code in [
        (SECRET, "123456"),
        ("", ""),
        ("A" * 32, authenticator_code()),
    ]:
        with pytest.raises(totp.WrongCode):
            await sign_in.set_totp(session, secret, code)
    assert not sign_in.user_named("ada").has_totp


@pytest.mark.gen_test
async def test_a_right_password_within_the_wait_is_not_looked_at(
    sign_in, people, store
):
    await people(ada="owner")
    await refused(sign_in, password="wrong password")
    for _ in range(3):
        with pytest.raises(SignInTooSoon):
            await enter(sign_in)
    await forget_guesses(sign_in, store)
    assert await enter(sign_in)


@pytest.mark.gen_test
async def test_what_was_not_looked_at_is_held_against_nobody(sign_in, people):
    await people(ada="owner")
    places = sign_in.passwords._places
    while places.acquire(blocking=False):
        pass  # as many wait as may
    with pytest.raises(GatewayOverloaded):
        await enter(sign_in)
    places.release()
    assert await enter(sign_in)


@pytest.mark.gen_test
async def test_a_flood_of_strangers_keeps_nobody_out_who_was_here_before(
    sign_in, people
):
    await people(ada="owner")
    assert await enter(sign_in)
    places = sign_in.passwords._strangers
    while places.acquire(blocking=False):
        pass  # as many wait as may
    for name in ("ada", "eve"):
        with pytest.raises(GatewayOverloaded):
            await enter(sign_in, name, browser=AWAY)
    assert await enter(sign_in)
    places.release()
    assert await enter(sign_in, browser=AWAY)


@pytest.mark.gen_test
async def test_a_hundred_guesses_at_once_are_one(sign_in, people):
    await people(ada="owner")
    told = await asyncio.gather(
        *(enter(sign_in, password=f"wrong {n}") for n in range(100)),
        return_exceptions=True,
    )
    kinds = [type(one) for one in told]
    assert kinds.count(SignInRefused) == 1
    assert kinds.count(SignInTooSoon) == 99


@pytest.mark.gen_test
async def test_who_guesses_from_elsewhere_keeps_no_user_from_the_usual_place(
    sign_in, people
):
    await people(ada="owner")
    await enter(sign_in)
    await refused(sign_in, password="wrong password", browser=AWAY)
    elsewhere = replace(AWAY, network="203.0.113.9")
    with pytest.raises(SignInTooSoon):  # the account has to wait, wherever from
        await enter(sign_in, browser=elsewhere)
    assert await enter(sign_in)
    await refused(sign_in, "bob", browser=HOME)  # nor does who shares the address
    assert await enter(sign_in)


@pytest.mark.gen_test
async def test_a_restart_forgives_no_guess(sign_in, people, store, ring):
    await people(ada="owner")
    await refused(sign_in, password="wrong password")
    await store.flush()
    later = SignIn(store, store.secrets, ring)
    await later.load()
    with pytest.raises(SignInTooSoon):
        await enter(later)
    later.close()
    rows = await store.read(lambda: list(FailedSignInRow.select().dicts()))
    assert len(rows) == 2
    assert "ada" not in str(rows)


@pytest.mark.gen_test
async def test_a_new_password_ends_the_other_sessions(sign_in, people, store):
    await people(ada="owner", bob="viewer")
    mine, other = await enter(sign_in), await enter(sign_in)
    bobs = await enter(sign_in, "bob")
    await sign_in.change_password(session_of(sign_in, mine), NEW)
    assert session_of(sign_in, mine)
    assert session_of(sign_in, other) is None
    assert session_of(sign_in, bobs)
    await refused(sign_in)
    await forget_guesses(sign_in, store)
    assert await enter(sign_in, password=NEW)


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb", "ADA"])
async def test_no_two_names_differ_by_case_alone(sign_in, people, store, name):
    await people(ada="owner")
    with pytest.raises(InvalidPayload) as told:
        await store.write(account_rows.add_user, name, Role.VIEWER)
    assert told.value.param == "name"
