"""The routes of the authorization server that clients call; its pages are people's."""

from gateway.admission.client_address import AccessPolicy
from handlers.base import RouteEntry, RouteOptions
from handlers.oauth.device import DeviceHandler
from handlers.oauth.metadata import MetadataHandler
from handlers.oauth.revoke import RevokeHandler
from handlers.oauth.token import TokenHandler

_CLIENTS = RouteOptions(access=AccessPolicy.SIDE)

OAUTH_ROUTES: list[RouteEntry] = [
    (r"/oauth/token", TokenHandler, _CLIENTS),
    (r"/oauth/device", DeviceHandler, _CLIENTS),
    (r"/oauth/revoke", RevokeHandler, _CLIENTS),
    (r"/\.well-known/oauth-authorization-server", MetadataHandler, _CLIENTS),
]
