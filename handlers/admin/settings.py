"""/api/settings and /api/reload."""

from typing import ClassVar

from gateway.admin.entities import RELOADED, SETTINGS
from gateway.admin.strategy import set_strategy
from gateway.repository import audit
from handlers.admin.base import AdminHandler, Operation


class SettingsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("Settings that change while the gateway runs", SETTINGS),
        "patch": Operation("Change them", SETTINGS, SETTINGS),
    }

    def get(self) -> None:
        self.answer({"strategy": self.gateway.pool.strategy})

    async def patch(self) -> None:
        given = await self.fields()
        await self.change(set_strategy, given["strategy"], audit.API)
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
