"""The pages on which Codex is let in, at the addresses that it knows."""

from gateway.admission.client_address import AccessPolicy
from handlers.base import RouteEntry, RouteOptions
from handlers.dashboard.oauth.authorize import AuthorizePage
from handlers.dashboard.oauth.device import DevicePage

_PAGE = RouteOptions(access=AccessPolicy.SIDE)

CONSENT_ROUTES: list[RouteEntry] = [
    (r"/oauth/authorize", AuthorizePage, _PAGE),
    (r"/device", DevicePage, _PAGE),
]
