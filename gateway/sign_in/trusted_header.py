"""Who a single sign-on proxy says has signed in, where an owner trusts one.

Off unless three settings are made. The proxy is known by its address and by a secret:
neither a client, nor a proxy that passes a client's header on, gets in by a name.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.admission.client_address import is_peer_within
from gateway.settings import Settings
from gateway.sign_in.users import Role, User

SECRET_HEADER = "x-gateway-sso-secret"


def proxys_word(
    settings: Settings, peer: str, values_of: Callable[[str], Sequence[str]]
) -> str:
    """The name that the proxy gives; "" when anything about it is not as it has to be.

    `peer` is the socket's address, `values_of` all values of a header, by its name in
    lower case.
    """
    secret = settings.sso_secret
    if secret is None or not is_peer_within(peer, settings.sso_peers):
        return ""
    given, names = values_of(SECRET_HEADER), values_of(settings.sso_user_header)
    if len(given) != 1 or len(names) != 1:
        return ""
    presented = given[0].encode("utf-8", "surrogateescape")
    is_proxy = hmac.compare_digest(presented, secret.reveal().encode())
    return names[0].strip() if is_proxy else ""


def trusted_user(named: User | None) -> User | None:
    """The user whom the proxy names; with an operator's rights at most."""
    if named is None or named.disabled:
        return None
    is_more = not Role.OPERATOR.includes(named.role)
    return replace(named, role=Role.OPERATOR) if is_more else named
