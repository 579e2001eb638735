"""/api/people: who has a seat, and the invitation that gives one."""

from functools import partial
from typing import ClassVar

from gateway.admin.entities import NAMED
from gateway.admin.entity import Changed
from gateway.admin.users import people
from gateway.admin.users.entities import (
    INVITATION,
    INVITED,
    PERSON,
    PERSON_CHANGE,
    PERSON_LIST,
)
from handlers.admin.base import AdminHandler, Operation


class PeopleHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("All who have a seat", PERSON_LIST),
        "post": Operation(
            "Give a person a seat, and a link for the first password",
            INVITED,
            INVITATION,
            status=201,
        ),
    }

    async def get(self) -> None:
        self.answer({"people": await self.gateway.store.read(people.stored_people)})

    async def post(self) -> None:
        rules = await self.fields()
        name, invite = rules.pop("name"), partial(people.invite, key=rules.pop("key"))
        made = await self.change(invite, name, rules, self.actor)
        if made is None:
            self.answer({"user": name, "token": None, "expires_at": None})
        else:
            self.answer(made.shown(self.gateway.settings.public_url))


class PersonHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("One person, with the devices", PERSON),
        "patch": Operation(
            "End a person's sessions and devices until enabled", NAMED, PERSON_CHANGE
        ),
        "delete": Operation("Forget a person and the seat; log rows stay", NAMED),
    }

    async def get(self, name: str) -> None:
        self.answer(await self.gateway.store.read(people.stored_person, name))

    async def patch(self, name: str) -> None:
        change = partial(people.disable_person, **await self.fields())
        self._tell(await self.change(change, name, self.actor))

    async def delete(self, name: str) -> None:
        self._tell(await self.change(people.remove_person, name, self.actor))

    def _tell(self, changed: Changed) -> None:
        self.answer({"name": changed.name, **changed.shown()})
