"""Logins and access tokens that an operator brings along, read and judged."""

from typing import Any

from gateway.admin.errors import Unacceptable
from gateway.errors import UpstreamUnavailable
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.logins.access_token import (
    identified,
    imported_document,
    parse_import,
)
from gateway.upstream.logins.auth_json import Login


async def read_import(settings: Settings, auth: bytes | dict[str, Any]) -> Login:
    """The login in an auth.json, or an access token's; upstream says whose that is.

    Bytes may be an access token by itself. Raises Unacceptable, UpstreamUnavailable.
    """
    try:
        if isinstance(auth, bytes):
            found = parse_import(auth)
        else:
            found = imported_document(auth)
        return await identified(settings, found)
    except ValueError as error:
        raise Unacceptable(f"The login {error}", param="auth") from error
    except UpstreamFault as fault:
        if fault.failure.origin == "account":
            raise Unacceptable(str(fault), param="auth") from fault
        raise UpstreamUnavailable(fault.failure) from fault
