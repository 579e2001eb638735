"""The whole route table, in one list."""

from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, PathMatches, Rule
from tornado.web import Application

from gateway.admission.client_address import AccessPolicy
from gateway.app import Gateway
from handlers.admin.routes import ADMIN_ROUTES
from handlers.api.browser_apps import PreflightHandler, PreflightMatches
from handlers.api.chat import ChatCompletionsHandler
from handlers.api.media import (
    AlphaSearchHandler,
    EmbeddingsHandler,
    ImagesEditsHandler,
    ImagesGenerationsHandler,
    InputTokensHandler,
    TranscribeHandler,
)
from handlers.api.models import ModelHandler, ModelsHandler
from handlers.api.responses import CompactHandler, ResponsesHandler
from handlers.api.responses_websocket import ResponsesSocket
from handlers.api.side_calls import (
    FIXED_ANSWERS,
    AccountsCheckHandler,
    AnalyticsHandler,
    AppsBatchHandler,
    CodexUsageHandler,
    ConsumeResetHandler,
    FixedAnswerHandler,
    McpHandler,
    NudgeHandler,
    ResetCreditsHandler,
    ThreadUsageHandler,
    WhamUsageHandler,
)
from handlers.api.usage import KeyUsageHandler
from handlers.base import RouteEntry, RouteOptions
from handlers.dashboard.live_views import LiveViews
from handlers.dashboard.routes import DASHBOARD_ROUTES
from handlers.oauth.routes import OAUTH_ROUTES
from handlers.operations.doctor import DoctorHandler
from handlers.operations.health import HealthHandler, ReadyHandler
from handlers.operations.members import MEMBER_ROUTES
from handlers.operations.not_found import NotFoundHandler
from handlers.operations.start_page import StartPageHandler
from handlers.wire.connections import ClientConnections
from handlers.wire.request_head import is_upgrade
from schemas.surfaces import Surface

# The real client needs the alias when its provider is named OpenAI.
CODEX_BASE = r"/backend-api/codex(?:/v1)?"

WHAM = r"/backend-api/wham"

CODEX = RouteOptions(Surface.CODEX)
CODEX_SOCKET = RouteOptions(Surface.CODEX_SOCKET)
V1 = RouteOptions(Surface.V1)
V1_SOCKET = RouteOptions(Surface.V1_SOCKET)
CHAT = RouteOptions(Surface.CHAT)
KEY_USAGE = RouteOptions(Surface.V1, AccessPolicy.KEY_REQUIRED)
SIDE_CALL = RouteOptions(Surface.CODEX, AccessPolicy.SIDE)
OPEN = RouteOptions(access=AccessPolicy.SIDE)
PREFLIGHT = RouteOptions(access=AccessPolicy.PREFLIGHT)


class UpgradeMatches(Matcher):
    """Matches any path when the request asks for an upgrade to a WebSocket."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if is_upgrade(request) else None


SOCKETS: list[RouteEntry] = [
    (CODEX_BASE + "/responses", ResponsesSocket, CODEX_SOCKET),
    (r"/v1/responses", ResponsesSocket, V1_SOCKET),
]

ROUTES: list[RouteEntry] = [
    (CODEX_BASE + "/responses", ResponsesHandler, CODEX),
    (CODEX_BASE + "/responses/compact", CompactHandler, CODEX),
    (CODEX_BASE + "/models", ModelsHandler, CODEX),
    (CODEX_BASE + "/images/generations", ImagesGenerationsHandler, CODEX),
    (CODEX_BASE + "/images/edits", ImagesEditsHandler, CODEX),
    (CODEX_BASE + "/alpha/search", AlphaSearchHandler, CODEX),
    (CODEX_BASE + "/analytics-events/events", AnalyticsHandler, SIDE_CALL),
    # Beside the clients' own routes, so that it goes through what they go through.
    (r"/backend-api/codex/doctor", DoctorHandler, CODEX),
    (r"/backend-api/transcribe", TranscribeHandler, CODEX),
    (WHAM + r"/accounts/check", AccountsCheckHandler, SIDE_CALL),
    (WHAM + r"/accounts/send_add_credits_nudge_email", NudgeHandler, SIDE_CALL),
    (WHAM + r"/usage", WhamUsageHandler, SIDE_CALL),
    (WHAM + r"/usage/thread_usage/query", ThreadUsageHandler, SIDE_CALL),
    (WHAM + r"/rate-limit-reset-credits", ResetCreditsHandler, SIDE_CALL),
    (WHAM + r"/rate-limit-reset-credits/consume", ConsumeResetHandler, SIDE_CALL),
    (r"/backend-api/ps/mcp", McpHandler, SIDE_CALL),
    (r"/backend-api/ps/apps/batch", AppsBatchHandler, SIDE_CALL),
    *[(r"/backend-api/" + p, FixedAnswerHandler, SIDE_CALL) for p, _ in FIXED_ANSWERS],
    (r"/api/codex/usage", CodexUsageHandler, SIDE_CALL),
    (r"/v1/responses", ResponsesHandler, V1),
    (r"/v1/responses/compact", CompactHandler, V1),
    (r"/v1/chat/completions", ChatCompletionsHandler, CHAT),
    (r"/v1/models", ModelsHandler, V1),
    (r"/v1/models/(.+)", ModelHandler, V1),
    # Codex with the built-in provider at /v1 uses these two there.
    (r"/v1/images/generations", ImagesGenerationsHandler, V1),
    (r"/v1/images/edits", ImagesEditsHandler, V1),
    (r"/v1/alpha/search", AlphaSearchHandler, V1),
    (r"/v1/embeddings", EmbeddingsHandler, V1),
    (r"/v1/responses/input_tokens", InputTokensHandler, V1),
    (r"/v1/usage", KeyUsageHandler, KEY_USAGE),
    (r"/v1/audio/transcriptions", TranscribeHandler, V1),
    (r"/", StartPageHandler, OPEN),
    (r"/health(?:/live)?", HealthHandler, OPEN),
    (r"/health/ready", ReadyHandler, OPEN),
]


def build_app(gateway: Gateway, connections: ClientConnections) -> Application:
    """The application; sockets go before the requests on the same path."""
    dependencies = {"gateway": gateway, "connections": connections}

    def rules(table: list[RouteEntry]) -> list[Rule]:
        return [
            Rule(PathMatches(path), handler, {**dependencies, "options": options})
            for path, handler, options in table
        ]

    preflights = PreflightMatches(gateway.settings.allowed_origins)
    preflight = {**dependencies, "options": PREFLIGHT}
    return Application(
        [
            Rule(preflights, PreflightHandler, preflight),
            Rule(UpgradeMatches(), rules(SOCKETS)),
            *rules([*ROUTES, *ADMIN_ROUTES, *OAUTH_ROUTES, *DASHBOARD_ROUTES]),
            *rules(MEMBER_ROUTES),
        ],
        default_handler_class=NotFoundHandler,
        default_handler_args={**dependencies, "options": OPEN},
        log_function=lambda handler: None,  # the request log has it all
        websocket_max_message_size=gateway.max_message_bytes,
        websocket_ping_interval=gateway.settings.keepalive_interval,
        # A client that reads slowly answers pings late; TCP tells who is gone.
        websocket_ping_timeout=0,
        live_views=LiveViews(),  # of the dashboard
    )
