"""A SignIn with its store, without a gateway; passwords that are checked quickly."""

from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import BrowserFacts
from gateway.sign_in.sign_in import SignIn
from gateway.sign_in.users import Role

PASSWORD = "correct horse battery"
# What a check costs stands in the hash.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
HOME = BrowserFacts("127.0.0.1", "127.0.0.1", "Firefox", has_tls=False)
AWAY = BrowserFacts("198.51.100.7", "198.51.100.7", "curl", has_tls=True)


@pytest.fixture
def sign_in(store, ring):
    made = SignIn(store, store.secrets, ring)
    yield made
    made.close()


@pytest.fixture
def people(store, sign_in):
    """Adds users by name and role, all with the same password."""

    async def add(**roles):
        for name, role in roles.items():
            await store.write(add_user, name, Role(role), CHEAP)
        await sign_in.load()
        return SimpleNamespace(**{name: sign_in.user_named(name) for name in roles})

    return add
