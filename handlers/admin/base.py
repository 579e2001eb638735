"""Base of the admin API: its door, and JSON in and out by the documented schemas."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import orjson
from marshmallow import Schema, ValidationError

from gateway.admin.entity import Entity
from gateway.admin.errors import AdminTokenRequired, Unacceptable
from gateway.admission.client_address import is_local
from gateway.admission.origins import check_origin
from gateway.admission.presented_token import presented_token
from gateway.process.admin_token import is_token
from gateway.repository import audit
from handlers.admin.schemas import first_message, schema_class
from handlers.bodies import BodyHandler
from handlers.changes import make_change

T = TypeVar("T")

_ACTOR = re.compile(r"cli(?::[!-~]{1,60})?")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a route: what comes in and goes out, for code and document."""

    summary: str
    answer: Entity
    body: Entity | None = None
    query: Entity | None = None
    status: int = 200


class AdminHandler(BodyHandler):
    """A route for whoever has the admin token; a loopback address is not enough."""

    max_body_bytes = 1024 * 1024
    has_own_door: ClassVar[bool] = True
    operations: ClassVar[dict[str, Operation]] = {}  # by method, lower case
    is_open_to_local: ClassVar[bool] = False

    def authenticate(self) -> None:
        facts = self.facts
        check_origin(facts, self.gateway.settings)
        if self.is_open_to_local and is_local(facts):
            self.is_unlogged = True
            return
        presented = facts.headers.get("x-admin-token") or presented_token(facts.headers)
        if not is_token(presented, self.gateway.admin.value):
            raise AdminTokenRequired
        self.is_unlogged = True

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """One of the path or the query. PostgreSQL has no place for a NUL."""
        text = super().decode_argument(value, name)
        if "\0" in text:
            raise Unacceptable("There is a NUL character in it", param=name)
        return text

    async def fields(self) -> dict[str, Any]:
        """The body's fields. Raises Unacceptable with the first mistake."""
        entity = self._operation.body
        assert entity is not None
        raw = await self.read_body()
        if b"\\u0000" in raw:
            raise Unacceptable("There is a NUL character in the body")
        try:
            document = orjson.loads(raw or b"{}")
        except orjson.JSONDecodeError as error:
            raise Unacceptable("The body is not JSON") from error
        return load(entity, document)

    def query(self) -> dict[str, Any]:
        """The query's fields; of a repeated one the last."""
        entity = self._operation.query
        assert entity is not None
        names = self.request.query_arguments
        given = {name: self.get_query_argument(name) for name in names}
        return load(entity, given)

    def answer(self, body: object) -> None:
        operation, behind = self._operation, self.gateway.membership.behind
        if behind and self.request.method != "GET":
            self.set_header("x-gateway-behind", ", ".join(map(str, behind)))
        self.write_json(_schema(operation.answer).dump(body), operation.status)

    @property
    def actor(self) -> str:
        """Who makes the change: the command line says whose shell it is."""
        named = self.request.headers.get("x-admin-actor", "")
        return named if _ACTOR.fullmatch(named) else audit.API

    async def change(self, function: Callable[..., T], *args: Any) -> T:
        """Make a change in the database, and have it hold for the next request."""
        return await make_change(self.gateway, function, *args)

    @property
    def _operation(self) -> Operation:
        method = (self.request.method or "").lower()
        return self.operations["get" if method == "head" else method]


def load(entity: Entity, document: object) -> dict[str, Any]:
    """A document's fields. Raises Unacceptable with the first mistake."""
    try:
        loaded: dict[str, Any] = _schema(entity).load(document)  # type: ignore[arg-type]
    except ValidationError as error:
        text, field = first_message(error)
        raise Unacceptable(text, param=field) from error
    return loaded


@functools.cache
def _schema(entity: Entity) -> Schema:
    """Building one costs more than using it."""
    return schema_class(entity)()
