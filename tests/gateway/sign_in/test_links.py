"""Links that make a user, or give a new password."""

import time

import pytest

from gateway.errors import InvalidPayload
from gateway.sign_in import links
from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from gateway.store.users.tables import LinkRow
from tests.gateway.sign_in.conftest import HOME
from tests.gateway.sign_in.test_sign_in import (
    NEW,
    authenticator_code,
    enter,
    session_of,
)
from tests.gateway.sign_in.test_totp import SECRET


@pytest.mark.gen_test
async def test_the_first_link_makes_an_owner_once_and_is_void_afterwards(
    sign_in, store
):
    make, now = links.make_link, time.time()
    first = await store.write(make, links.NOBODY, now)
    second = await store.write(make, links.NOBODY, now)
    assert not sign_in.is_set_up
    with pytest.raises(links.LinkOver):  # a newer one was made
        await sign_in.use_link(first, "ada", NEW, HOME)
    assert await sign_in.whose_link(second) is None
    token = await sign_in.use_link(second, "ada", NEW, HOME)
    assert sign_in.user_of(session_of(sign_in, token)).role is Role.OWNER
    assert sign_in.is_set_up
    third = await store.write(make, links.NOBODY, now)
    for used in (first, second, third, "", "guessed"):
        with pytest.raises(links.LinkOver):
            await sign_in.use_link(used, "eve", NEW, HOME)
    assert [user.name for user in sign_in.users] == ["ada"]
    rows = await store.read(lambda: list(LinkRow.select().dicts()))
    assert third not in str(rows)
    actions = await store.read(lambda: [row.action for row in AuditLog.select()])
    assert actions == ["user.create", "session.begin"]


@pytest.mark.gen_test
async def test_a_link_is_good_for_a_quarter_of_an_hour(sign_in, store):
    made = time.time() - links.LINK_SECONDS
    late = await store.write(links.make_link, links.NOBODY, made - 1)
    with pytest.raises(links.LinkOver):
        await sign_in.use_link(late, "ada", NEW, HOME)
    in_time = await store.write(links.make_link, links.NOBODY, made + 60)
    assert await sign_in.use_link(in_time, "ada", NEW, HOME)


@pytest.mark.gen_test
async def test_a_users_link_gives_a_new_password_and_nothing_remains(
    sign_in, people, store
):
    ada = (await people(ada="viewer")).ada
    token = await enter(sign_in)
    await sign_in.set_totp(session_of(sign_in, token), SECRET, authenticator_code(0))
    link = await store.write(links.make_link, ada.id, time.time())
    assert await sign_in.whose_link(link) == "ada"
    with pytest.raises(InvalidPayload):  # and is not used up by it
        await sign_in.use_link(link, "", "too short", HOME)
    mine = await sign_in.use_link(link, "eve", NEW, HOME)
    assert session_of(sign_in, token) is None
    user = sign_in.user_of(session_of(sign_in, mine))
    assert (user.name, user.role, user.has_totp) == ("ada", Role.VIEWER, False)
    with pytest.raises(links.LinkOver):
        await sign_in.use_link(link, "", NEW, HOME)
