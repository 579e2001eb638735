"""Owners change users; one of them who can sign in is always left."""

import time

import pytest

from gateway.admin.errors import NotThere, Unacceptable
from gateway.admin.users import changes
from gateway.errors import InvalidPayload
from gateway.sign_in import links
from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from tests.gateway.sign_in.conftest import HOME, people, sign_in
from tests.gateway.sign_in.test_sign_in import NEW, enter, session_of

__all__ = ["people", "sign_in"]

BY = "user:ada"


@pytest.fixture
def change(store, sign_in):
    async def made(function, *args, **more):
        result = await store.write(lambda: function(*args, **more))
        await sign_in.load()
        return result

    return made


async def audited(store):
    rows = await store.read(lambda: list(AuditLog.select()))
    return [(row.actor, row.action, row.target) for row in rows]


@pytest.mark.gen_test
async def test_a_new_user_comes_in_by_a_link_that_is_shown_once(sign_in, change, store):
    made = await change(changes.create_user, " eve ", Role.VIEWER, BY)
    assert made.token.reveal() not in repr(made)
    assert sign_in.user_named("eve").password is None
    token = await sign_in.use_link(made.token.reveal(), "", NEW, HOME)
    user = sign_in.user_of(session_of(sign_in, token))
    assert (user.name, user.role) == ("eve", Role.VIEWER)
    assert (await audited(store))[:2] == [
        (BY, "user.create", "eve"),
        (BY, "user.link", "eve"),
    ]
    with pytest.raises(InvalidPayload):
        await change(changes.create_user, "EVE", Role.VIEWER, BY)


@pytest.mark.gen_test
@pytest.mark.parametrize("other", [None, "no password", "disabled", "operator"])
async def test_the_last_owner_who_can_sign_in_stays(
    sign_in, people, change, store, other
):
    ada = (await people(ada="owner")).ada
    if other == "no password":
        await change(changes.create_user, "eve", Role.OWNER, BY)
    elif other:
        eve = (await people(eve="owner" if other == "disabled" else other)).eve
        if other == "disabled":
            await change(changes.disable_user, eve.id, BY, disabled=True)
    for function, *args in (
        (changes.change_role, ada.id, Role.OPERATOR, BY),
        (changes.remove_user, ada.id, BY),
    ):
        with pytest.raises(Unacceptable, match="the last owner"):
            await change(function, *args)
    with pytest.raises(Unacceptable, match="the last owner"):
        await change(changes.disable_user, ada.id, BY, disabled=True)
    assert sign_in.user_named("ada") == ada


@pytest.mark.gen_test
async def test_of_two_owners_either_may_go(sign_in, people, change):
    two = await people(ada="owner", eve="owner")
    changed = await change(changes.change_role, two.ada.id, Role.VIEWER, BY)
    assert changed.shown() == {"before": {"role": "owner"}, "after": {"role": "viewer"}}
    with pytest.raises(Unacceptable):
        await change(changes.remove_user, two.eve.id, BY)
    await change(changes.remove_user, two.ada.id, BY)
    assert [user.name for user in sign_in.users] == ["eve"]


@pytest.mark.gen_test
async def test_another_role_ends_the_sessions_but_the_one_that_changes_it(
    sign_in, people, change, store
):
    two = await people(ada="owner", eve="owner")
    adas, eves, other = [await enter(sign_in, n) for n in ("ada", "eve", "eve")]
    mine = session_of(sign_in, eves)
    await change(changes.change_role, two.ada.id, Role.OPERATOR, "user:eve", mine.id)
    assert session_of(sign_in, adas) is None
    assert session_of(sign_in, eves)
    assert session_of(sign_in, other)
    again = await enter(sign_in, "ada")
    await change(changes.disable_user, two.ada.id, "user:eve", disabled=True)
    assert session_of(sign_in, again) is None
    await change(changes.disable_user, two.ada.id, "user:eve", disabled=False)
    assert session_of(sign_in, again) is None
    again = await enter(sign_in, "ada")
    await change(changes.remove_user, two.ada.id, "user:eve")
    assert session_of(sign_in, again) is None
    assert [row for row in await audited(store) if "session" not in row[1]] == [
        ("user:eve", "user.role", "ada"),
        ("user:eve", "user.disable", "ada"),
        ("user:eve", "user.enable", "ada"),
        ("user:eve", "user.remove", "ada"),
    ]


@pytest.mark.gen_test
async def test_a_link_is_a_living_users_or_the_first_ones(sign_in, people, change):
    first = await change(changes.link_for, None, "cli")
    assert first.user is None
    ada = (await people(ada="owner", eve="viewer")).ada
    with pytest.raises(Unacceptable, match="dashboard link --user NAME"):
        await change(changes.link_for, None, "cli")
    with pytest.raises(NotThere):
        await change(changes.link_for, "bob", "cli")
    made = await change(changes.link_for, " ADA", "cli")
    assert made.user == "ada"
    assert 0 < made.expires_at - time.time() <= links.LINK_SECONDS
    eve = sign_in.user_named("eve")
    link = await change(changes.link_for, "eve", "cli")
    await change(changes.disable_user, eve.id, BY, disabled=True)
    with pytest.raises(links.LinkOver):
        await sign_in.use_link(link.token.reveal(), "", NEW, HOME)
    with pytest.raises(Unacceptable, match="disabled"):
        await change(changes.link_for_user, eve.id, BY)
    await change(changes.remove_user, eve.id, BY)
    with pytest.raises(links.LinkOver):
        await sign_in.use_link(link.token.reveal(), "", NEW, HOME)
    with pytest.raises(NotThere):
        await change(changes.link_for_user, eve.id, BY)
    assert ada.id != eve.id
