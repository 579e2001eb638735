"""The OpenAPI document of the admin API, from the entities it checks with."""

import functools
import re
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from gateway.admin.entities import ERROR
from gateway.admin.entity import Entity
from handlers.admin.base import AdminHandler, Operation
from handlers.admin.schemas import schema_class
from handlers.base import RouteOptions

AdminRoute = tuple[str, type[AdminHandler], RouteOptions]


@functools.cache
def openapi_document(routes: tuple[AdminRoute, ...]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the routes that have operations."""
    spec = APISpec(
        title="Codex Gateway admin API",
        version="1",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={"description": "Always with the admin token."},
        security=[{"admin_token": []}],
    )
    spec.components.security_scheme("admin_token", {"type": "http", "scheme": "bearer"})
    for pattern, handler, _ in routes:
        if handler.operations:
            path, parameters = _path(pattern)
            described = {m: _operation(one) for m, one in handler.operations.items()}
            spec.path(path=path, operations=described, parameters=parameters)
    document: dict[str, Any] = spec.to_dict()
    return document


def _path(pattern: str) -> tuple[str, list[dict[str, Any]]]:
    """`/api/keys/([^/]+)` as `/api/keys/{name}`."""
    path = re.sub(r"\(.*?\)", "{name}", pattern)
    named = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
    }
    return path, [named] if "{name}" in path else []


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {
            str(operation.status): _content("OK", operation.answer),
            "default": _content("The error", ERROR),
        },
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, **_media(operation.body)}
    if operation.query is not None:
        described["parameters"] = [
            {"in": "query", "schema": schema_class(operation.query)}
        ]
    return described


def _content(text: str, entity: Entity) -> dict[str, Any]:
    return {"description": text, **_media(entity)}


def _media(entity: Entity) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema_class(entity)}}}


def _schema_name(schema: Any) -> str:
    name: str = schema.__name__ if isinstance(schema, type) else type(schema).__name__
    return name
