"""An OAuth with its store, and a person with a seat, without a gateway."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.admin.keys import create_key
from gateway.keys.key import KeyRing
from gateway.oauth.authorization import read_request
from gateway.oauth.codes import challenge_of
from gateway.oauth.oauth import OAuth
from gateway.oauth.seats import give_seat
from gateway.repository.keys import load_keys
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import BrowserFacts
from gateway.sign_in.users import Role
from gateway.store.models import ApiKeyRow
from gateway.store.users.tables import UserRow
from tests.gateway.store.store_rows import make_store

CALLBACK = "http://127.0.0.1:1499/callback"
VERIFIER = "v" * 43
LAPTOP = BrowserFacts("192.0.2.7", "192.0.2.7", "codex_exec/0.169", has_tls=True)


def link(**other):
    """The query of the client's link."""
    return {
        "response_type": "code",
        "client_id": "codex",
        "redirect_uri": CALLBACK,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "state": "xyz",
        "scope": "gateway",
        **other,
    }


def told(url):
    """What a callback brings."""
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


@pytest.fixture
def store(tmp_path, io_loop):
    made = make_store(tmp_path)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def ring():
    return KeyRing()


def make_person(name):
    """A person with a seat; both numbers."""
    user = add_user(name, Role.HOLDER)
    create_key(f"{name}'s seat", {}, "cli")
    row = ApiKeyRow.get(ApiKeyRow.name == f"{name}'s seat")
    give_seat(row, UserRow.get_by_id(user.id), "cli")
    return user.id, row.id


@pytest.fixture
def person(store, ring, io_loop):
    user_id, key_id = io_loop.run_sync(lambda: store.write(make_person, "ada"))
    ring.replace(io_loop.run_sync(lambda: store.read(load_keys)))
    return SimpleNamespace(user_id=user_id, key_id=key_id)


@pytest.fixture
def oauth(store, ring, io_loop):
    made = OAuth(store, store.secrets, ring)
    io_loop.run_sync(made.load)
    return made


@pytest.fixture
def signed_in(oauth, person):
    """Signs a device in; gives its first tokens."""

    async def sign_in(name="laptop"):
        handle = await oauth.open_request(read_request(link()), LAPTOP)
        url = await oauth.approve(handle, person.user_id, name)
        code = told(url)["code"]
        return await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)

    return sign_in
