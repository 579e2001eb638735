"""/api/devices: what signed in to seats, and its end."""

from functools import partial
from typing import ClassVar

from gateway.admin.entities import NAMED
from gateway.admin.users.entities import DEVICE_LIST, DEVICE_QUERY, SIGN_OUT
from gateway.admin.users.people import (
    device_number,
    sign_out_device,
    stored_devices,
)
from handlers.admin.base import AdminHandler, Operation


class DevicesHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation(
            "All devices, or a person's, ended ones for 90 days",
            DEVICE_LIST,
            query=DEVICE_QUERY,
        )
    }

    async def get(self) -> None:
        person = self.query()["person"]
        self.answer({"devices": await self.gateway.store.read(stored_devices, person)})


class DeviceSignOutHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation("End a device, softly or at once", NAMED, SIGN_OUT)
    }

    async def post(self, number: str) -> None:
        end = partial(sign_out_device, at_once=(await self.fields())["now"])
        changed = await self.change(end, device_number(number), self.actor)
        self.answer({"name": changed.name, **changed.shown()})
