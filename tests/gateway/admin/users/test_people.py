"""Seats are given and end with their persons, and their devices with them."""

import time

import pytest

from gateway.admin import keys
from gateway.admin.errors import Unacceptable
from gateway.admin.users import changes
from gateway.admin.users.people import invite
from gateway.keys.key import KeyRing
from gateway.oauth.oauth import OAuth
from gateway.repository.keys import load_keys
from gateway.sign_in.links import INVITE_SECONDS
from gateway.sign_in.users import Role
from gateway.store.models import ApiKeyRow
from gateway.store.users.tables import UserRow
from tests.devices import sign_in_device
from tests.gateway.sign_in.conftest import HOME, people, sign_in
from tests.gateway.sign_in.test_sign_in import NEW

__all__ = ["people", "sign_in"]

BY = "user:owner"
pytestmark = pytest.mark.gen_test


@pytest.fixture
def oauth(store):
    return OAuth(store, store.secrets, KeyRing())


async def invited(store, name="ada", rules=None, key=None):
    return await store.write(invite, name, rules or {}, BY, key)


async def user_id(store, name="ada"):
    return await store.read(lambda: UserRow.get(UserRow.name == name).id)


async def test_who_is_invited_becomes_a_holder_with_a_seat(store, sign_in):
    made = await invited(store, rules={"limits": ["tokens 1M/7d"]})
    assert INVITE_SECONDS - 60 < made.expires_at - time.time() <= INVITE_SECONDS
    (seat,) = await store.read(load_keys)
    await sign_in.load()
    user = sign_in.user_named("ada")
    assert (user.role, seat.user_id, str(seat.limits[0])) == (
        Role.HOLDER,
        user.id,
        "tokens 1000000/7d",
    )
    assert seat.prefix.startswith("cgat-")
    assert not user.role.includes(Role.VIEWER)
    await sign_in.use_link(made.token.reveal(), "", NEW, HOME)
    assert sign_in.user_named("ada").password


async def test_a_user_gets_a_seat_and_no_link(store, people):
    await people(ada="owner")
    assert await invited(store) is None
    with pytest.raises(Unacceptable):
        await invited(store, "ADA")


async def test_a_key_becomes_a_seat_and_its_token_ends(store):
    made = await store.write(keys.create_key, "laptop", {"rpm": 7}, BY)
    await store.write(keys.replace_token, "laptop", BY, "1h")
    await invited(store, key="laptop")
    (seat,) = await store.read(load_keys)
    assert (seat.name, seat.rpm, seat.old_digest) == ("laptop", 7, None)
    ring = KeyRing()
    ring.replace([seat])
    assert ring.check(made.token.reveal(), time.time())[0] is None
    with pytest.raises(Unacceptable):
        await invited(store, "eve", key="laptop")
    assert not await store.read(
        lambda: UserRow.select().where(UserRow.name == "eve").exists()
    )


async def test_a_seat_has_no_token_that_could_be_replaced(store):
    await invited(store)
    with pytest.raises(Unacceptable):
        await store.write(keys.replace_token, "ada", BY)


@pytest.mark.parametrize("how", ["disable", "remove", "key"])
async def test_devices_end_at_once_with_their_person_or_seat(store, oauth, how):
    await invited(store)
    await invited(store, "eve")
    ended = await store.write(sign_in_device, "ada")
    other = await store.write(sign_in_device, "eve")
    ada = await user_id(store)
    if how == "disable":
        await store.write(lambda: changes.disable_user(ada, BY, disabled=True))
    elif how == "remove":
        await store.write(changes.remove_user, ada, BY)
    else:
        await store.write(keys.remove_key, "ada", BY)
    await oauth.load()
    device = oauth.device(ended.device_id)
    assert (device.end_reason, device.is_over(time.time())) == ("seat", True)
    assert not oauth.device(other.device_id).is_signed_out
    left = await store.read(lambda: [row.name for row in ApiKeyRow.select()])
    assert left == (["ada", "eve"] if how == "disable" else ["eve"])


async def test_who_is_enabled_again_signs_in_again(store, oauth):
    await invited(store)
    issued = await store.write(sign_in_device, "ada")
    ada = await user_id(store)
    for disabled in (True, False):
        await store.write(
            lambda to=disabled: changes.disable_user(ada, BY, disabled=to)
        )
    await oauth.load()
    assert oauth.device(issued.device_id).is_over(time.time())
