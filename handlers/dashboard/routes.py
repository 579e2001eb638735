"""The routes of the dashboard."""

from gateway.admission.client_address import AccessPolicy
from handlers.base import RouteEntry, RouteOptions
from handlers.dashboard.not_found import PageNotFound
from handlers.dashboard.static_handler import StaticHandler

PAGE = RouteOptions(access=AccessPolicy.SIDE)
_NAME = r"/([^/]+)"

DASHBOARD_ROUTES: list[RouteEntry] = [
    (r"/dashboard/static/([0-9a-f]+)/([a-z0-9.-]+)", StaticHandler, PAGE),
    (r"/dashboard(?:/.*)?", PageNotFound, PAGE),
]
