"""Where a key's pages are: by its name, as long as a URL can have that."""

from urllib.parse import quote

from gateway.admin.names import KEY_WORD, find_named
from gateway.app import Gateway
from gateway.keys.key import Key

KEYS = "/dashboard/keys"
NEW = "new"
# What browsers take for a folder, and what is a page of its own.
_NO_NAMES = (".", "..", NEW)


def key_url(key: Key, action: str = "") -> str:
    name = key.prefix if key.name in _NO_NAMES else key.name
    return f"{KEYS}/{quote(name, safe='')}" + (f"/{action}" if action else "")


def key_at(gateway: Gateway, name: str) -> Key:
    """The key of a page's path, by its name, number or prefix. Raises NotThere."""
    return find_named(gateway.ring, KEY_WORD, name, exact=True)
