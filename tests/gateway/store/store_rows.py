"""Log rows and stores for the tests of the store."""

import itertools

from gateway.store.encryption import SecretBox
from gateway.store.models import now_ms
from gateway.store.store import Store

NOW = now_ms()
_numbers = itertools.count(1)


def log_row(**changes):
    """A row as an exchange gives it, with an id of its own."""
    return {
        "request_id": f"{next(_numbers):032x}",
        "created_at": NOW,
        "surface": "codex",
        "transport": "http",
        "route": "responses",
        "model": "gpt-5.4",
        "account_id": 1,
        "status": "success",
        "http_status": 200,
        **changes,
    }


def make_store(directory, **settings):
    url = settings.pop("url", f"sqlite:///{directory}/gateway.db")
    return Store(url, secrets=SecretBox.open(directory), **settings)
