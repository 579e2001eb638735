"""/api/turns: what runs, and the end of one."""

from typing import ClassVar

from gateway.admin.live.elsewhere import cut_turn_anywhere, turns_of_all
from gateway.admin.live.turns import TURN, TURN_LIST
from handlers.admin.base import AdminHandler, Operation


class TurnsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("The turns that run, the oldest first", TURN_LIST)
    }

    async def get(self) -> None:
        found = await turns_of_all(self.gateway)
        self.answer({"turns": found.turns, "unreached": found.unreached})


class TurnCutHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation("Stop a turn; its client is told who did it", TURN)
    }

    async def post(self, name: str) -> None:
        await self.read_body()  # what is left of it would end the connection
        self.answer(await cut_turn_anywhere(self.gateway, name, self.actor))
