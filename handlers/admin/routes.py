"""The routes that need the admin token."""

from tornado.web import RequestHandler

from gateway.admission.client_address import AccessPolicy as Door
from handlers.admin.accounts import (
    AccountHandler,
    AccountImportHandler,
    AccountPauseHandler,
    AccountProbeHandler,
    AccountResumeHandler,
    AccountsHandler,
)
from handlers.admin.keys import KeyHandler, KeyRotateHandler, KeysHandler
from handlers.admin.logs import LogHandler, LogsHandler, UsageReportHandler
from handlers.admin.metrics import MetricsHandler
from handlers.admin.openapi import OpenApiHandler
from handlers.admin.settings import ReloadHandler, SettingsHandler
from handlers.base import RouteOptions
from handlers.operations.doctor import DoctorHandler

ADMIN = RouteOptions("admin", Door.SIDE)
NAME = r"/([^/]+)"

ADMIN_ROUTES: list[tuple[str, type[RequestHandler], RouteOptions]] = [
    (r"/api/accounts", AccountsHandler, ADMIN),
    (r"/api/accounts/import", AccountImportHandler, ADMIN),
    (r"/api/accounts" + NAME, AccountHandler, ADMIN),
    (r"/api/accounts" + NAME + "/pause", AccountPauseHandler, ADMIN),
    (r"/api/accounts" + NAME + "/resume", AccountResumeHandler, ADMIN),
    (r"/api/accounts" + NAME + "/probe", AccountProbeHandler, ADMIN),
    (r"/api/keys", KeysHandler, ADMIN),
    (r"/api/keys" + NAME, KeyHandler, ADMIN),
    (r"/api/keys" + NAME + "/rotate", KeyRotateHandler, ADMIN),
    (r"/api/logs", LogsHandler, ADMIN),
    (r"/api/logs" + NAME, LogHandler, ADMIN),
    (r"/api/usage", UsageReportHandler, ADMIN),
    (r"/api/settings", SettingsHandler, ADMIN),
    (r"/api/reload", ReloadHandler, ADMIN),
    (r"/api/openapi.json", OpenApiHandler, ADMIN),
    (r"/metrics", MetricsHandler, ADMIN),
]

# Beside the clients' own routes, so that it takes their way; needs what they need.
DOCTOR_ROUTES: list[tuple[str, type[RequestHandler], RouteOptions]] = [
    (r"/backend-api/codex/doctor", DoctorHandler, RouteOptions("codex")),
]
