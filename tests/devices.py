"""Persons with a seat and devices that signed in, for tests that begin after that."""

import time

from gateway.admin.keys import create_key
from gateway.oauth import tokens
from gateway.oauth.seats import give_seat
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import BrowserFacts
from gateway.sign_in.users import Role
from gateway.store.models import ApiKeyRow
from gateway.store.users.tables import UserRow

LAPTOP = BrowserFacts("192.0.2.7", "192.0.2.7", "codex_exec/0.169", has_tls=True)


def make_person(name, **rules):
    """A person with a seat, whose key has the person's name; both numbers."""
    user = add_user(name, Role.HOLDER)
    create_key(name, rules, "cli")
    row = ApiKeyRow.get(ApiKeyRow.name == name)
    give_seat(row, UserRow.get_by_id(user.id), "cli")
    return user.id, row.id


def sign_in_device(key_name, device_name="laptop"):
    """Its first tokens, which no process knows yet."""
    seat = ApiKeyRow.get(ApiKeyRow.name == key_name)
    return tokens.sign_in_device(seat, device_name, "browser", LAPTOP, time.time())


async def add_person(serving, name="ada", **rules):
    """Numbers of user and key in a running gateway."""
    made = await serving.gateway.store.write(lambda: make_person(name, **rules))
    await serving.gateway.reload()
    return made


async def add_device(serving, key_name="ada", device_name="laptop"):
    """A device's first tokens, as after a sign-in."""
    gateway = serving.gateway
    issued = await gateway.store.write(sign_in_device, key_name, device_name)
    return await gateway.oauth.issued(issued)
