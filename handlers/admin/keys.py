"""/api/keys: API keys and what they may do."""

import time
from typing import Any, ClassVar

from gateway.admin import keys
from gateway.admin.costs.cost_limits import tell_unpriced
from gateway.admin.entities import NAMED
from gateway.admin.key_rules.entities import (
    DELETED_LOG,
    KEY,
    KEY_CHANGE,
    KEY_LIST,
    MADE_KEY,
    NEW_KEY,
    ROTATION,
)
from gateway.admin.names import KEY_WORD, find_named
from gateway.admin.views import show_key
from gateway.app import Gateway
from gateway.keys.key import Key
from gateway.store.log.activity import last_uses
from gateway.store.log.retention import remove_log_of_key
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

    async def get(self) -> None:
        uses = await self.gateway.store.read(last_uses)
        shown = [whole_key(self.gateway, key) for key in self.gateway.ring]
        await self.gateway.store.read(_tell_unpriced, shown)
        self.answer(
            {"keys": [one | {"last_used_at": uses.get(one["id"])} for one in shown]}
        )

    async def post(self) -> None:
        rules = await self.fields()
        name = rules.pop("name")
        made = await self.change(keys.create_key, name, rules, self.actor)
        self.answer(made.shown())


class KeyHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("One key, with what is used of its limits", KEY),
        "patch": Operation("Change a key", KEY, KEY_CHANGE),
        "delete": Operation("Remove a key", NAMED),
    }

    async def get(self, name: str) -> None:
        shown = found_key(self.gateway, name)
        await self.gateway.store.read(_tell_unpriced, [shown])
        self.answer(shown)

    async def patch(self, name: str) -> None:
        rules = await self.fields()
        changed = await self.change(keys.change_key, name, rules, self.actor)
        self.answer(found_key(self.gateway, changed.name) | changed.shown())

    async def delete(self, name: str) -> None:
        gone = await self.change(keys.remove_key, name, self.actor)
        self.answer({"name": gone.name, **gone.shown()})


class KeyRotateHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "A new key with the same rules; the old one ends", MADE_KEY, ROTATION
        )
    }

    async def post(self, name: str) -> None:
        overlap = (await self.fields())["overlap"]
        made = await self.change(keys.replace_token, name, self.actor, overlap)
        self.answer(made.shown())


class KeyResetHandler(AdminHandler):
    operations: ClassVar = {"delete": Operation("Begin all its limits anew", KEY)}

    async def delete(self, name: str) -> None:
        await self.gateway.flush()  # so that what was used is told
        changed = await self.change(keys.reset_usage, name, self.actor)
        self.answer(found_key(self.gateway, changed.name) | changed.shown())


class KeyLogHandler(AdminHandler):
    operations: ClassVar = {
        "delete": Operation(
            "Delete its rows of the request log; the sums stay", DELETED_LOG
        )
    }

    async def delete(self, name: str) -> None:
        """In slices: nobody's rows wait long for the writer."""
        store = self.gateway.store
        key_id, shown = await store.write(keys.begin_deletion, name, self.actor)
        rows = 0
        while removed := await store.write(remove_log_of_key, key_id):
            rows += removed
        self.answer({"name": shown, "rows": rows})


def _tell_unpriced(shown: list[dict[str, Any]]) -> None:
    for one in shown:
        tell_unpriced(one["id"], one["usage"])


def key_answer(gateway: Gateway, key: Key, now: float) -> dict[str, Any]:
    names = {one.id: one.name for one in gateway.pool.accounts.values()}
    return show_key(key, names, now)


def found_key(gateway: Gateway, name: str) -> dict[str, Any]:
    return whole_key(gateway, find_named(gateway.ring, KEY_WORD, name))


def whole_key(gateway: Gateway, key: Key) -> dict[str, Any]:
    """A key with what is used of its limits."""
    now = time.time()
    usage = gateway.limiter.report(key, now)
    return key_answer(gateway, key, now) | {"usage": usage}
