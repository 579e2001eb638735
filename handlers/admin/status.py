"""/api/status: whether all is well."""

from typing import ClassVar

from gateway.admin.live.entities import STATUS
from gateway.admin.live.status import live_status
from handlers.admin.base import AdminHandler, Operation


class StatusHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("How the gateway, its accounts and its keys fare", STATUS)
    }

    async def get(self) -> None:
        self.answer(await live_status(self.gateway))
