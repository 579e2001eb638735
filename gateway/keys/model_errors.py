"""The errors about a request's model, which name those there are."""

import re
from collections.abc import Iterable
from functools import lru_cache

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin

MOST_NAMES = 30  # that a message lists
# Catalogues have shorter ones, of these characters; a client may send any text.
LONGEST_NAME = 64
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.:/-]")


def plain_name(model: str | None) -> str | None:
    """A model's name as logs and messages may have it."""
    return model and _plain(model[:LONGEST_NAME])


@lru_cache(maxsize=256)
def _plain(name: str) -> str:
    return _NOT_PLAIN.sub("_", name)


class ModelNotAllowed(GatewayError):
    status = 403
    code = "model_not_allowed"
    type = "permission_error"
    origin: Origin = "client"

    def __init__(self, model: str, available: Iterable[str] = ()) -> None:
        message = f"This API key does not have access to model '{plain_name(model)}'"
        super().__init__(message + _there_are(available))


def _there_are(models: Iterable[str]) -> str:
    """The end of a message about a model: the names to choose from."""
    names = sorted(models)
    if not names:
        return ""
    more = len(names) - MOST_NAMES
    rest = f" and {more} more" if more > 0 else ""
    return "; there are " + ", ".join(name[:100] for name in names[:MOST_NAMES]) + rest


class ModelNotPriced(GatewayError):
    """A key's cost limit cannot count the turn, and an owner wants no guess."""

    status = 403
    code = "model_not_priced"
    type = "permission_error"
    origin: Origin = "gateway"

    def __init__(self, model: str | None, tier: str | None) -> None:
        in_tier = f" in tier '{plain_name(tier)}'" if tier else ""
        super().__init__(
            f"Model '{plain_name(model)}'{in_tier} has no price here, and this API key "
            "has a cost limit"
        )


class ModelNotAvailable(GatewayError):
    status = 400
    code = "model_not_available"
    type = "invalid_request_error"
    origin: Origin = "account"

    def __init__(self, model: str, available: Iterable[str] = ()) -> None:
        message = f"No account of this gateway can serve model '{plain_name(model)}'"
        super().__init__(message + _there_are(available), param="model")


class ModelNotFound(GatewayError):
    """There is no such model to look at; code and type are those of OpenAI."""

    status = 404
    code = "model_not_found"
    type = "invalid_request_error"
    origin: Origin = "client"

    def __init__(self, model: str, available: Iterable[str] = ()) -> None:
        message = f"The model '{plain_name(model)}' does not exist here"
        super().__init__(message + _there_are(available), param="model")
