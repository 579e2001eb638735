"""/api/keys: API keys and what they may do."""

import time
from typing import Any, ClassVar

from gateway.admin import keys
from gateway.admin.entities import KEY, KEY_CHANGE, KEY_LIST, MADE_KEY, NAMED, NEW_KEY
from gateway.admin.errors import NotThere
from gateway.admin.views import show_key
from gateway.app import Gateway
from gateway.keys.key import Key
from gateway.repository import audit
from handlers.admin.base import AdminHandler, Operation


class KeysHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("All keys", KEY_LIST),
        "post": Operation(
            "Make a key; the answer shows it this once",
            MADE_KEY,
            NEW_KEY,
            status=201,
        ),
    }

    def get(self) -> None:
        now = time.time()
        self.answer(
            {"keys": [key_answer(self.gateway, k, now) for k in self.gateway.ring]}
        )

    async def post(self) -> None:
        rules = await self.fields()
        name = rules.pop("name")
        made = await self.change(keys.create_key, name, rules, audit.API)
        self.answer(made.shown())


class KeyHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("One key, with what is used of its limits", KEY),
        "patch": Operation("Change a key", KEY, KEY_CHANGE),
        "delete": Operation("Remove a key", NAMED),
    }

    def get(self, name: str) -> None:
        self.answer_key(name)

    async def patch(self, name: str) -> None:
        rules = await self.fields()
        self.answer_key(await self.change(keys.change_key, name, rules, audit.API))

    async def delete(self, name: str) -> None:
        self.answer({"name": await self.change(keys.remove_key, name, audit.API)})

    def answer_key(self, name: str) -> None:
        key = find_key(self.gateway, name)
        now = time.time()
        usage = self.gateway.limiter.report(key, now)
        self.answer(key_answer(self.gateway, key, now) | {"usage": usage})


class KeyRotateHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation("A new key with the same rules; the old one ends", MADE_KEY)
    }

    async def post(self, name: str) -> None:
        made = await self.change(keys.replace_token, name, audit.API)
        self.answer(made.shown())


def find_key(gateway: Gateway, name: str) -> Key:
    """A key of the ring by name, number or prefix. Raises NotThere."""
    by_name = {key.name: key for key in gateway.ring}
    by_id = {str(key.id): key for key in gateway.ring}
    by_prefix = {key.prefix: key for key in gateway.ring}
    key = by_name.get(name) or by_id.get(name) or by_prefix.get(name)
    if key is None:
        raise NotThere("API key", name)
    return key


def key_answer(gateway: Gateway, key: Key, now: float) -> dict[str, Any]:
    names = {one.id: one.name for one in gateway.pool.accounts.values()}
    return show_key(key, names, now)
