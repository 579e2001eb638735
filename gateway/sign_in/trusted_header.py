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


def trusted_user(
    settings: Settings,
    peer: str,
    values_of: Callable[[str], Sequence[str]],
    user_named: Callable[[str], User | None],
) -> User | None:
    """The user whom the proxy names; with an operator's rights at most.

    `peer` is the socket's address, `values_of` all values of a header, by its name in
    lower case. None when anything about it is not as it has to be.
    """
    secret = settings.sso_secret
    if secret is None or not is_peer_within(peer, settings.sso_peers):
        return None
    given, names = values_of(SECRET_HEADER), values_of(settings.sso_user_header)
    if len(given) != 1 or len(names) != 1:
        return None
    presented = given[0].encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(presented, secret.reveal().encode()):
        return None
    user = user_named(names[0]) if names[0].strip() else None
    if user is None or user.disabled:
        return None
    is_more = not Role.OPERATOR.includes(user.role)
    return replace(user, role=Role.OPERATOR) if is_more else user
