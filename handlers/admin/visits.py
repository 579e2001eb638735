"""/api/visits: keys for the doctor, which last for minutes and leave no row."""

import time
from typing import ClassVar

from gateway.admin.entities import ADMITTED, VISIT
from handlers.admin.accounts import find_account
from handlers.admin.base import AdminHandler, Operation


class VisitsHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "Admit a doctor, to all accounts or to one", ADMITTED, VISIT, status=201
        )
    }

    async def post(self) -> None:
        name = (await self.fields())["account"]
        account = None if name is None else find_account(self.gateway, name).id
        visitors = self.gateway.access.visitors
        self.answer({"key": visitors.admit(account, time.time())})
