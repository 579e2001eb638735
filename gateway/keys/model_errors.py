"""The errors about a request's model, which name those there are."""

from collections.abc import Iterable

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin

MOST_NAMES = 30  # that a message lists


class ModelNotAllowed(GatewayError):
    status = 403
    code = "model_not_allowed"
    type = "permission_error"
    origin: Origin = "client"

    def __init__(self, model: str) -> None:
        super().__init__(f"This API key does not have access to model '{model:.100}'")


def _there_are(models: Iterable[str]) -> str:
    """The end of a message about a model: the names to choose from."""
    names = sorted(models)
    if not names:
        return ""
    more = len(names) - MOST_NAMES
    rest = f" and {more} more" if more > 0 else ""
    return "; there are " + ", ".join(name[:100] for name in names[:MOST_NAMES]) + rest


class ModelNotAvailable(GatewayError):
    status = 400
    code = "model_not_available"
    type = "invalid_request_error"
    origin: Origin = "account"

    def __init__(self, model: str, available: Iterable[str] = ()) -> None:
        message = f"No account of this gateway can serve model '{model:.100}'"
        super().__init__(message + _there_are(available), param="model")


class ModelNotFound(GatewayError):
    """There is no such model to look at; code and type are those of OpenAI."""

    status = 404
    code = "model_not_found"
    type = "invalid_request_error"
    origin: Origin = "client"

    def __init__(self, model: str, available: Iterable[str] = ()) -> None:
        message = f"The model '{model:.100}' does not exist here"
        super().__init__(message + _there_are(available), param="model")
