"""/api/settings and /api/reload."""

from typing import ClassVar

from gateway.admin.entities import RELOADED, SETTINGS, SETTINGS_CHANGE
from gateway.admin.rules import set_rules
from gateway.admin.strategy import set_strategy
from gateway.repository import audit
from gateway.repository.options import shown_rules
from handlers.admin.base import AdminHandler, Operation


class SettingsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("Settings that change while the gateway runs", SETTINGS),
        "patch": Operation("Change them", SETTINGS, SETTINGS_CHANGE),
    }

    def get(self) -> None:
        rules = shown_rules(self.gateway.rules)
        self.answer({"strategy": self.gateway.pool.strategy, **rules})

    async def patch(self) -> None:
        given = await self.fields()
        strategy = given.pop("strategy", None)
        if strategy is not None:
            await self.change(set_strategy, strategy, audit.API)
        if given:
            await self.change(set_rules, given, audit.API)
        self.get()


class ReloadHandler(AdminHandler):
    """For the command line, which changes the database itself."""

    operations: ClassVar = {
        "post": Operation("Take over what the database says", RELOADED)
    }

    async def post(self) -> None:
        await self.gateway.reload()
        held = self.gateway
        self.answer({"accounts": len(held.pool.accounts), "keys": len(held.ring)})
