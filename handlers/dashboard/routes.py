"""The routes of the dashboard."""

from gateway.admission.client_address import AccessPolicy
from handlers.base import RouteEntry, RouteOptions
from handlers.dashboard.not_found import PageNotFound
from handlers.dashboard.oauth.routes import CONSENT_ROUTES
from handlers.dashboard.screens.accounts.account import AccountScreen
from handlers.dashboard.screens.accounts.actions import ACTIONS
from handlers.dashboard.screens.accounts.adding import (
    AddAccountScreen,
    DeviceLoginScreen,
)
from handlers.dashboard.screens.accounts.overview import AccountsScreen
from handlers.dashboard.screens.conversations import (
    ConversationScreen,
    ConversationsScreen,
)
from handlers.dashboard.screens.devices import DevicesPage
from handlers.dashboard.screens.doctor import DoctorScreen
from handlers.dashboard.screens.keys.change import KeyChangeScreen
from handlers.dashboard.screens.keys.create import NewKeyScreen
from handlers.dashboard.screens.keys.endings import (
    KeyRemoveScreen,
    KeyResetScreen,
    KeyRotateScreen,
)
from handlers.dashboard.screens.keys.key_list import KeysScreen
from handlers.dashboard.screens.keys.key_page import KeyLimitsScreen, KeyScreen
from handlers.dashboard.screens.keys.my import MyScreen
from handlers.dashboard.screens.live import CutScreen, LiveEvents, LiveScreen
from handlers.dashboard.screens.overview import OverviewScreen
from handlers.dashboard.screens.people import InvitePage, PeoplePage
from handlers.dashboard.screens.record.audit import AuditScreen
from handlers.dashboard.screens.record.exporting import RequestsExport
from handlers.dashboard.screens.record.notices import NoticesScreen
from handlers.dashboard.screens.record.request import RequestScreen
from handlers.dashboard.screens.record.requests import RefusedScreen, RequestsScreen
from handlers.dashboard.screens.recorder import (
    RecorderScreen,
    RecordingFile,
    RecordingScreen,
)
from handlers.dashboard.screens.rules.prices import PricesScreen, RecostScreen
from handlers.dashboard.screens.rules.settings import SettingsScreen
from handlers.dashboard.screens.rules.tools import ToolsScreen
from handlers.dashboard.screens.usage import UsageExport, UsageScreen
from handlers.dashboard.sign_in.routes import SIGN_IN_ROUTES
from handlers.dashboard.static_handler import StaticHandler

PAGE = RouteOptions(access=AccessPolicy.SIDE)
_NAME = r"/([^/]+)"

DASHBOARD_ROUTES: list[RouteEntry] = [
    (r"/dashboard/", OverviewScreen, PAGE),
    (r"/dashboard/static/([0-9a-f]+)/([a-z0-9.-]+)", StaticHandler, PAGE),
    (r"/dashboard/live", LiveScreen, PAGE),
    (r"/dashboard/live/events", LiveEvents, PAGE),
    (r"/dashboard/live" + _NAME + "/cut", CutScreen, PAGE),
    (r"/dashboard/recorder", RecorderScreen, PAGE),
    (r"/dashboard/recorder" + _NAME, RecordingScreen, PAGE),
    (r"/dashboard/recorder" + _NAME + "/file", RecordingFile, PAGE),
    (r"/dashboard/accounts", AccountsScreen, PAGE),
    (r"/dashboard/accounts" + _NAME, AccountScreen, PAGE),
    *[
        (rf"/dashboard/accounts{_NAME}/{action}", handler, PAGE)
        for action, handler in ACTIONS.items()
    ],
    (r"/dashboard/add-account", AddAccountScreen, PAGE),
    (r"/dashboard/add-account" + _NAME, DeviceLoginScreen, PAGE),
    (r"/dashboard/devices", DevicesPage, PAGE),
    (r"/dashboard/people", PeoplePage, PAGE),
    (r"/dashboard/people/invite", InvitePage, PAGE),
    (r"/dashboard/doctor", DoctorScreen, PAGE),
    *SIGN_IN_ROUTES,
    *CONSENT_ROUTES,
    (r"/dashboard/requests", RequestsScreen, PAGE),
    (r"/dashboard/requests/export", RequestsExport, PAGE),
    (r"/dashboard/requests/refused", RefusedScreen, PAGE),
    (rf"/dashboard/requests{_NAME}", RequestScreen, PAGE),
    (r"/dashboard/conversations", ConversationsScreen, PAGE),
    (rf"/dashboard/conversations{_NAME}", ConversationScreen, PAGE),
    (r"/dashboard/usage", UsageScreen, PAGE),
    (r"/dashboard/usage/export", UsageExport, PAGE),
    (r"/dashboard/audit", AuditScreen, PAGE),
    (r"/dashboard/notices", NoticesScreen, PAGE),
    (r"/dashboard/keys", KeysScreen, PAGE),
    (r"/dashboard/keys/new", NewKeyScreen, PAGE),
    (r"/dashboard/keys" + _NAME, KeyScreen, PAGE),
    (r"/dashboard/keys" + _NAME + "/change", KeyChangeScreen, PAGE),
    (r"/dashboard/keys" + _NAME + "/limits", KeyLimitsScreen, PAGE),
    (r"/dashboard/keys" + _NAME + "/rotate", KeyRotateScreen, PAGE),
    (r"/dashboard/keys" + _NAME + "/reset", KeyResetScreen, PAGE),
    (r"/dashboard/keys" + _NAME + "/remove", KeyRemoveScreen, PAGE),
    (r"/dashboard/my", MyScreen, PAGE),
    (r"/dashboard/settings", SettingsScreen, PAGE),
    (r"/dashboard/tools", ToolsScreen, PAGE),
    (r"/dashboard/prices", PricesScreen, PAGE),
    (r"/dashboard/prices/recost", RecostScreen, PAGE),
    (r"/dashboard(?:/.*)?", PageNotFound, PAGE),
]
