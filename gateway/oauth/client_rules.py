"""The one client there is, and where it may be led back to."""

import re

from gateway.oauth.errors import ClientFault, InvalidClient, InvalidScope

CODEX_CLIENT = "codex"
SCOPE = "gateway"
CALLBACK_PATH = "/callback"
# A literal address of this machine alone, with the port the client listens on: "each
# port has to be taken" (RFC 8252, 7.3). Nothing else is compared leniently.
_REDIRECT = re.compile(
    rf"http://127\.0\.0\.1:([1-9][0-9]{{0,4}}){CALLBACK_PATH}", re.ASCII
)
_LARGEST_PORT = 65_535


def check_client(client_id: str) -> None:
    """Raises InvalidClient."""
    if client_id != CODEX_CLIENT:
        raise InvalidClient


def check_redirect(redirect_uri: str) -> None:
    """Raises ClientFault."""
    found = _REDIRECT.fullmatch(redirect_uri)
    if found is None or int(found[1]) > _LARGEST_PORT:
        raise ClientFault


def check_scope(scope: str) -> None:
    """Absent is all there is; what stands beside it is not granted, which the answer
    says (RFC 6749, 3.3). Raises InvalidScope.
    """
    asked = scope.split()
    if asked and SCOPE not in asked:
        raise InvalidScope
