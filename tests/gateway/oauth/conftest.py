"""An OAuth with its store, and a person with a seat, without a gateway."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.oauth.authorization import read_request
from gateway.oauth.codes import challenge_of
from gateway.oauth.oauth import OAuth
from gateway.repository.keys import load_keys
from tests.devices import LAPTOP, make_person

CALLBACK = "http://127.0.0.1:1499/callback"
VERIFIER = "v" * 43


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
        handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
        url = await oauth.approve(handle, person.user_id, name)
        code = told(url)["code"]
        return await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)

    return sign_in
