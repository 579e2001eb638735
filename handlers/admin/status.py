"""/api/status: whether all is well; /api/members: who serves from the database."""

from typing import ClassVar

from gateway.admin.live.elsewhere import members_of_all
from gateway.admin.live.entities import STATUS
from gateway.admin.live.members import MEMBER_LIST
from gateway.admin.live.status import live_status
from handlers.admin.base import AdminHandler, Operation


class StatusHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("How the gateway, its accounts and its keys fare", STATUS)
    }

    async def get(self) -> None:
        self.answer(await live_status(self.gateway))


class MembersHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "The processes that serve from the database, the oldest first", MEMBER_LIST
        )
    }

    async def get(self) -> None:
        self.answer({"members": await members_of_all(self.gateway)})
