"""Makes the gateway's requests of what handlers received, over either transport."""

from collections.abc import Callable

from marshmallow import ValidationError

from gateway.errors import InvalidPayload
from gateway.keys.key import Key
from gateway.keys.request_rules import RequestRules
from gateway.turns.client_request import ClientFacts, ClientRequest, Loaded
from gateway.upstream.endpoints import Endpoint
from handlers.api.key_rules import key_policy
from schemas.reasons import first_problem
from schemas.request import load_request
from schemas.surfaces import Surface


def refused(error: ValidationError) -> InvalidPayload:
    """The client's error: the first bad field, and what is wrong with it."""
    problem = first_problem(error)
    return InvalidPayload.because(problem.reason, param=problem.param)


def client_request(
    client: ClientFacts,
    key: Key | None,
    surface: Surface,
    endpoint: Endpoint,
    size: int,
    load: Callable[[], Loaded],
) -> ClientRequest:
    """One request of `size` bytes; `load` may raise ValidationError."""

    def load_or_refuse() -> Loaded:
        try:
            return load()
        except ValidationError as error:
            raise refused(error) from error

    return ClientRequest(
        client=client,
        surface=surface.api,
        transport="websocket" if surface.is_socket else "http",
        route=endpoint,
        key=key,
        size=size,
        load=load_or_refuse,
    )


def responses_request(
    client: ClientFacts,
    key: Key | None,
    surface: Surface,
    body: bytes | str,
    *,
    rules: RequestRules,
    compact: bool = False,
) -> ClientRequest:
    """One Responses or compact request."""
    endpoint = Endpoint.COMPACT if compact else Endpoint.RESPONSES
    policy = key_policy(key, rules)
    return client_request(
        client,
        key,
        surface,
        endpoint,
        len(body),
        lambda: load_request(body, surface, compact=compact, policy=policy),
    )
