"""/api/settings and /api/reload."""

from typing import Any, ClassVar

from gateway.admin.entities import RELOADED, SETTINGS, SETTINGS_CHANGE
from gateway.admin.entity import Changed
from gateway.admin.rules import set_rules
from gateway.admin.strategy import set_strategy
from gateway.repository.options import shown_rules
from handlers.admin.base import AdminHandler, Operation


class SettingsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("Settings that change while the gateway runs", SETTINGS),
        "patch": Operation("Change them", SETTINGS, SETTINGS_CHANGE),
    }

    def get(self) -> None:
        self.answer(self._shown())

    async def patch(self) -> None:
        given, before = await self.fields(), self._shown()
        strategy = given.pop("strategy", None)
        if strategy is not None:
            await self.change(set_strategy, strategy, self.actor)
        if given:
            await self.change(set_rules, given, self.actor)
        shown = self._shown()
        self.answer(shown | Changed.between("settings", before, shown).shown())

    def _shown(self) -> dict[str, Any]:
        rules = shown_rules(self.gateway.rules)
        return {"strategy": self.gateway.pool.strategy, **rules}


class ReloadHandler(AdminHandler):
    """For the command line, which changes the database itself."""

    operations: ClassVar = {
        "post": Operation("Take over what the database says", RELOADED)
    }

    async def post(self) -> None:
        await self.gateway.reload()
        held = self.gateway
        self.answer({"accounts": len(held.pool.accounts), "keys": len(held.ring)})
