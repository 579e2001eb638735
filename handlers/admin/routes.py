"""The routes that need the admin token."""

from gateway.admission.client_address import AccessPolicy
from handlers.admin.accounts import (
    AccountHandler,
    AccountImportHandler,
    AccountImportsHandler,
    AccountPauseHandler,
    AccountProbeHandler,
    AccountResetsHandler,
    AccountResumeHandler,
    AccountsHandler,
    RotateKeyHandler,
)
from handlers.admin.base import AdminHandler
from handlers.admin.keys import (
    KeyHandler,
    KeyLogHandler,
    KeyResetHandler,
    KeyRotateHandler,
    KeysHandler,
)
from handlers.admin.logs import (
    AuditHandler,
    LogHandler,
    LogsHandler,
    RefusalsHandler,
    RuleCountsHandler,
    UsageReportHandler,
)
from handlers.admin.metrics import MetricsHandler, SummedMetricsHandler
from handlers.admin.notices import NoticesHandler, NoticeTestHandler
from handlers.admin.openapi import AdminRoute, openapi_document
from handlers.admin.prices import (
    PriceCheckHandler,
    PriceReloadHandler,
    PricesHandler,
    RecostHandler,
)
from handlers.admin.settings import ReloadHandler, SettingsHandler
from handlers.admin.status import MembersHandler, StatusHandler
from handlers.admin.turns import TurnCutHandler, TurnsHandler
from handlers.admin.users.devices import DevicesHandler, DeviceSignOutHandler
from handlers.admin.users.people import PeopleHandler, PersonHandler
from handlers.admin.visits import DashboardLinkHandler, VisitsHandler
from handlers.base import RouteOptions

ADMIN = RouteOptions(access=AccessPolicy.SIDE)
_NAME = r"/([^/]+)"


class OpenApiHandler(AdminHandler):
    """GET /api/openapi.json"""

    def get(self) -> None:
        self.write_json(openapi_document(tuple(ADMIN_ROUTES)))


ADMIN_ROUTES: list[AdminRoute] = [
    (r"/api/accounts", AccountsHandler, ADMIN),
    (r"/api/accounts/import", AccountImportHandler, ADMIN),
    (r"/api/accounts/imports", AccountImportsHandler, ADMIN),
    (r"/api/accounts/rotate-key", RotateKeyHandler, ADMIN),
    (r"/api/accounts" + _NAME, AccountHandler, ADMIN),
    (r"/api/accounts" + _NAME + "/pause", AccountPauseHandler, ADMIN),
    (r"/api/accounts" + _NAME + "/resume", AccountResumeHandler, ADMIN),
    (r"/api/accounts" + _NAME + "/probe", AccountProbeHandler, ADMIN),
    (r"/api/accounts" + _NAME + "/resets", AccountResetsHandler, ADMIN),
    (r"/api/keys", KeysHandler, ADMIN),
    (r"/api/keys" + _NAME, KeyHandler, ADMIN),
    (r"/api/keys" + _NAME + "/rotate", KeyRotateHandler, ADMIN),
    (r"/api/keys" + _NAME + "/usage", KeyResetHandler, ADMIN),
    (r"/api/keys" + _NAME + "/logs", KeyLogHandler, ADMIN),
    (r"/api/logs", LogsHandler, ADMIN),
    (r"/api/logs" + _NAME, LogHandler, ADMIN),
    (r"/api/refusals", RefusalsHandler, ADMIN),
    (r"/api/audit", AuditHandler, ADMIN),
    (r"/api/usage", UsageReportHandler, ADMIN),
    (r"/api/rules", RuleCountsHandler, ADMIN),
    (r"/api/status", StatusHandler, ADMIN),
    (r"/api/members", MembersHandler, ADMIN),
    (r"/api/turns", TurnsHandler, ADMIN),
    (r"/api/turns" + _NAME + "/cut", TurnCutHandler, ADMIN),
    (r"/api/visits", VisitsHandler, ADMIN),
    (r"/api/dashboard/link", DashboardLinkHandler, ADMIN),
    (r"/api/people", PeopleHandler, ADMIN),
    (r"/api/people" + _NAME, PersonHandler, ADMIN),
    (r"/api/devices", DevicesHandler, ADMIN),
    (r"/api/devices" + _NAME + "/sign-out", DeviceSignOutHandler, ADMIN),
    (r"/api/prices", PricesHandler, ADMIN),
    (r"/api/prices/check", PriceCheckHandler, ADMIN),
    (r"/api/prices/recost", RecostHandler, ADMIN),
    (r"/api/prices/reload", PriceReloadHandler, ADMIN),
    (r"/api/notifications", NoticesHandler, ADMIN),
    (r"/api/notifications/test", NoticeTestHandler, ADMIN),
    (r"/api/settings", SettingsHandler, ADMIN),
    (r"/api/reload", ReloadHandler, ADMIN),
    (r"/api/openapi.json", OpenApiHandler, ADMIN),
    (r"/metrics", MetricsHandler, ADMIN),
    (r"/metrics/members", SummedMetricsHandler, ADMIN),
]
