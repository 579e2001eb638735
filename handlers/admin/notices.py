"""/api/notifications: what was told, and a test of the channels."""

from typing import ClassVar

from gateway.admin.live.notices import (
    NOTICE_LIST,
    NOTICE_QUERY,
    TRIED_LIST,
    page_of_notices,
)
from gateway.notifications.configured import try_channels
from handlers.admin.base import AdminHandler, Operation


class NoticesHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("What was told, newest first", NOTICE_LIST, query=NOTICE_QUERY)
    }

    async def get(self) -> None:
        wanted = self.query()
        place = (wanted["limit"], wanted["before"], wanted["after"])
        found = await self.gateway.store.read(page_of_notices, *place)
        self.answer({"notices": found})


class NoticeTestHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation("Tell each channel something now", TRIED_LIST)
    }

    async def post(self) -> None:
        await self.read_body()  # what is left of it would end the connection
        tried = await try_channels(self.gateway.notifications.channels)
        self.answer({"tried": [one._asdict() for one in tried]})
