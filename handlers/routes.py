"""The whole route table, in one list."""

from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, PathMatches, Rule
from tornado.web import Application, RequestHandler

from gateway.admission.client_address import AccessPolicy as Door
from gateway.app import Gateway
from handlers.admin.routes import ADMIN_ROUTES, DOCTOR_ROUTES
from handlers.api.chat import ChatCompletionsHandler
from handlers.api.media import (
    AlphaSearchHandler,
    ImagesEditsHandler,
    ImagesGenerationsHandler,
    TranscribeHandler,
)
from handlers.api.models import ModelsHandler
from handlers.api.responses import CompactHandler, ResponsesHandler
from handlers.api.responses_websocket import ResponsesSocket
from handlers.api.side_calls import (
    AccountsCheckHandler,
    AnalyticsHandler,
    CodexUsageHandler,
    FixedAnswerHandler,
    McpHandler,
    PluginsHandler,
    ResetCreditsHandler,
    WhamUsageHandler,
)
from handlers.api.usage import KeyUsageHandler
from handlers.base import RouteOptions
from handlers.operations.health import HealthHandler, ReadyHandler
from handlers.operations.not_found import NotFoundHandler
from handlers.wire.lingering_close import LastWords
from handlers.wire.request_head import is_upgrade

# The real client needs the alias when its provider is named OpenAI.
CODEX_BASE = r"/backend-api/codex(?:/v1)?"

CODEX = RouteOptions("codex")
V1 = RouteOptions("v1")
SIDE = RouteOptions("codex", Door.SIDE)
PLAIN = RouteOptions("plain", Door.SIDE)

Entry = tuple[str, type[RequestHandler], RouteOptions]


class UpgradeMatches(Matcher):
    """Any path, when the request wants to be a socket."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if is_upgrade(request) else None


SOCKETS: list[Entry] = [
    (CODEX_BASE + "/responses", ResponsesSocket, CODEX),
    (r"/v1/responses", ResponsesSocket, V1),
]

ROUTES: list[Entry] = [
    (CODEX_BASE + "/responses", ResponsesHandler, CODEX),
    (CODEX_BASE + "/responses/compact", CompactHandler, CODEX),
    (CODEX_BASE + "/models", ModelsHandler, CODEX),
    (CODEX_BASE + "/images/generations", ImagesGenerationsHandler, CODEX),
    (CODEX_BASE + "/images/edits", ImagesEditsHandler, CODEX),
    (CODEX_BASE + "/alpha/search", AlphaSearchHandler, CODEX),
    (CODEX_BASE + "/analytics-events/events", AnalyticsHandler, SIDE),
    (r"/backend-api/transcribe", TranscribeHandler, CODEX),
    (r"/backend-api/wham/accounts/check", AccountsCheckHandler, SIDE),
    (r"/backend-api/wham/usage", WhamUsageHandler, SIDE),
    (r"/backend-api/wham/rate-limit-reset-credits", ResetCreditsHandler, SIDE),
    (r"/backend-api/wham/settings/user", FixedAnswerHandler, SIDE),
    (r"/backend-api/ps/plugins/.*", PluginsHandler, SIDE),
    (r"/backend-api/ps/mcp", McpHandler, SIDE),
    (r"/api/codex/usage", CodexUsageHandler, SIDE),
    (r"/v1/responses", ResponsesHandler, V1),
    (r"/v1/responses/compact", CompactHandler, V1),
    (r"/v1/chat/completions", ChatCompletionsHandler, V1),
    (r"/v1/models", ModelsHandler, V1),
    (r"/v1/usage", KeyUsageHandler, RouteOptions("v1", Door.KEY_REQUIRED)),
    (r"/v1/audio/transcriptions", TranscribeHandler, V1),
    (r"/health(?:/live)?", HealthHandler, PLAIN),
    (r"/health/ready", ReadyHandler, PLAIN),
]


def build_app(gateway: Gateway) -> Application:
    """The application; sockets go before the requests on the same path."""

    def rules(table: list[Entry]) -> list[Rule]:
        return [
            Rule(PathMatches(path), handler, {"gateway": gateway, "surface": surface})
            for path, handler, surface in table
        ]

    return Application(
        [
            Rule(UpgradeMatches(), rules(SOCKETS)),
            *rules([*ROUTES, *DOCTOR_ROUTES, *ADMIN_ROUTES]),
        ],
        default_handler_class=NotFoundHandler,
        default_handler_args={"gateway": gateway, "surface": PLAIN},
        last_words=LastWords(),
        log_function=lambda handler: None,  # the request log has it all
        websocket_max_message_size=gateway.settings.max_body_bytes,
        websocket_ping_interval=gateway.settings.keepalive_interval,
        # A client that reads slowly answers pings late; TCP tells who is gone.
        websocket_ping_timeout=0,
    )
