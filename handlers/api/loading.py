"""From a handler's request to the gateway's: facts, key policy, loader."""

from collections.abc import Callable
from typing import Literal

from marshmallow import ValidationError

from gateway.errors import InvalidPayload
from gateway.keys.key import Key
from gateway.turns.client_request import ClientFacts, ClientRequest, Loaded, Transport
from gateway.upstream.endpoints import Endpoint
from schemas.request import KeyPolicy, first_bad_field, load_request
from schemas.surfaces import Surface


def key_policy(key: Key | None) -> KeyPolicy:
    """What a key enforces on the payload (RULES, row 17)."""
    if key is None:
        return KeyPolicy()
    return KeyPolicy(
        model=key.enforced_model,
        effort=key.enforced_effort,
        tier=key.enforced_tier,
        restricted=key.is_restricted,
    )


def refusing(load: Callable[[], Loaded]) -> Callable[[], Loaded]:
    """The same loader, with the schema's refusal as the client's error."""

    def loader() -> Loaded:
        try:
            return load()
        except ValidationError as error:
            raise InvalidPayload(param=first_bad_field(error)) from error

    return loader


def responses_request(
    client: ClientFacts,
    key: Key | None,
    surface: Surface,
    body: bytes | str,
    *,
    compact: bool = False,
) -> ClientRequest:
    """One Responses or compact request, over either transport."""
    policy = key_policy(key)
    is_socket = surface in (Surface.CODEX_SOCKET, Surface.V1_SOCKET)
    transport: Transport = "websocket" if is_socket else "http"
    is_codex = surface in (Surface.CODEX, Surface.CODEX_SOCKET)
    name: Literal["codex", "v1"] = "codex" if is_codex else "v1"
    return ClientRequest(
        client=client,
        surface=name,
        transport=transport,
        route=Endpoint.COMPACT if compact else Endpoint.RESPONSES,
        key=key,
        size=len(body),
        load=refusing(
            lambda: load_request(body, surface, compact=compact, policy=policy)
        ),
    )
