"""Ways in for minutes: /api/visits for the doctor, /api/dashboard/link for users."""

import time
from typing import ClassVar

from gateway.admin.entities import ADMITTED, VISIT
from gateway.admin.users.changes import LINK_WANTED, MADE_LINK, link_for
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


class DashboardLinkHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "A link to the dashboard: for a user's new password, or the first user's",
            MADE_LINK,
            LINK_WANTED,
            status=201,
        )
    }

    async def post(self) -> None:
        user = (await self.fields())["user"]
        made = await self.change(link_for, user, self.actor)
        self.answer(made.shown(self.gateway.settings.public_url))
