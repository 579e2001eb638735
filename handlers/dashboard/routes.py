"""The routes of the dashboard."""

from gateway.admission.client_address import AccessPolicy
from handlers.base import RouteEntry, RouteOptions
from handlers.dashboard.not_found import PageNotFound
from handlers.dashboard.screens.live import CutScreen, LiveEvents, LiveScreen
from handlers.dashboard.screens.recorder import (
    RecorderScreen,
    RecordingFile,
    RecordingScreen,
)
from handlers.dashboard.static_handler import StaticHandler

PAGE = RouteOptions(access=AccessPolicy.SIDE)
_NAME = r"/([^/]+)"

DASHBOARD_ROUTES: list[RouteEntry] = [
    (r"/dashboard/static/([0-9a-f]+)/([a-z0-9.-]+)", StaticHandler, PAGE),
    (r"/dashboard/live", LiveScreen, PAGE),
    (r"/dashboard/live/events", LiveEvents, PAGE),
    (r"/dashboard/live" + _NAME + "/cut", CutScreen, PAGE),
    (r"/dashboard/recorder", RecorderScreen, PAGE),
    (r"/dashboard/recorder" + _NAME, RecordingScreen, PAGE),
    (r"/dashboard/recorder" + _NAME + "/file", RecordingFile, PAGE),
    (r"/dashboard(?:/.*)?", PageNotFound, PAGE),
]
