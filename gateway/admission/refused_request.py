"""What the owner is told of a request that was turned away before its turn began."""

import time
from typing import Any

from gateway.admission.client_address import (
    RequestFacts,
    client_address,
    client_network,
)
from gateway.errors import GatewayError
from gateway.keys.key import Key
from gateway.settings import Settings


def light_row(
    error: GatewayError, facts: RequestFacts, settings: Settings, key: Key | None
) -> dict[str, Any]:
    """The columns of `refused_request` but the id, the surface and the door.

    Nothing of it is the client's word: of an error's message only what is the same for
    everybody.
    """
    plain = type(error).message
    return {
        "created_at": time.time_ns() // 1_000_000,
        "api_key_id": key and key.id,
        "client_address": client_address(facts, settings),
        "network": client_network(facts, settings),
        "http_status": error.status,
        "error_code": error.code,
        "reason": error.code if plain == GatewayError.message else plain,
        **(error.for_owner or {}),
    }
