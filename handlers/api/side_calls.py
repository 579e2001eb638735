"""The Codex client's side calls, answered here so that it shows no errors.

None of them carries a model request. They need no key and give nobody's numbers
away: the pool's windows are shown only where no keys are in use.
"""

import re
import time
from typing import Any

from marshmallow import ValidationError

from gateway.admin.errors import OwnersAlone
from gateway.admission.client_address import is_https, is_known_without_key
from gateway.errors import InvalidApiKey, InvalidPayload
from gateway.keys.reservation import PLAN_TYPE
from gateway.polling.reset_credits import OWNERS_COMMAND, Banked
from gateway.protocol.lenient_json import load_object, text
from handlers.api.codex_status import NEUTRAL, pool_windows, usage_body
from handlers.api.loading import refused
from handlers.base import BaseHandler
from handlers.bodies import BodilessHandler, BodyHandler
from schemas.body.json import decode

MCP_PROTOCOL_VERSION = "2025-06-18"


def sees_pool(handler: BaseHandler) -> bool:
    """Whether a client may know the accounts' own numbers: nobody needs a key."""
    gateway = handler.gateway
    is_known = is_known_without_key(handler.facts, gateway.settings)
    return is_known and not gateway.ring.ever_made


class AccountsCheckHandler(BodilessHandler):
    """Where the client is to send its model traffic.

    The client replaces its base URL by this origin when its provider is named
    OpenAI, and accepts an open answer only from an https gateway.
    """

    def get(self) -> None:
        open_answer = is_https(self.facts, self.gateway.settings)
        account_id = self.request.headers.get("chatgpt-account-id", "account")
        account = {
            "id": account_id,
            "account_user_id": f"u__{account_id}",
            "account_user_role": "account-owner",
            "structure": "personal",
            "plan_type": "plus",
            "is_zdr": False,
            "is_openai_internal": False,
            "can_access_with_session": True,
            "workspace_backend_origin": (
                "NO_CONSTRAINT" if open_answer else "https://chatgpt.com"
            ),
            "account_routing_override": "NO_CONSTRAINT",
        }
        self.write_json(
            {
                "accounts": [account],
                "default_account_id": account_id,
                "account_ordering": [account_id],
            }
        )


class WhamUsageHandler(BodilessHandler):
    """What `/status` shows: the key's budget, or the pool's where there are no keys.

    To who would need a key and has none it shows numbers that are nobody's: also
    before the first key, to strangers and to pages that gave their name our address.
    """

    def get(self) -> None:
        gateway, key, now = self.gateway, self.current_key, time.time()
        plan = "pro"
        if key is not None:
            windows, plan = gateway.limiter.windows(key, now), PLAN_TYPE
        elif sees_pool(self):
            windows = pool_windows(gateway.pool.accounts.values(), now)
        else:
            windows = NEUTRAL
        self.write_json(usage_body(windows, plan, now))


class CodexUsageHandler(WhamUsageHandler):
    """The same for the clients that ask with a login."""

    def get(self) -> None:
        if not self.request.headers.get("authorization"):
            raise InvalidApiKey("Missing ChatGPT token in Authorization header")
        super().get()


# What nothing is to be told about, by path below /backend-api: the smallest answers
# after which the client's app-server 0.171 shows no error. The first match counts.
FIXED_ANSWERS: tuple[tuple[str, object], ...] = (
    (r"wham/settings/user", {}),
    (r"wham/profiles/me", {"stats": {}}),
    # With a login of a company's workspace the client does not start without it.
    (r"wham/config/bundle", {}),
    (r"plugins/featured", []),
    (r"ps/plugins/suggested/codex", {"enabled": True, "plugins": []}),
    (r"ps/plugins/.*", {"plugins": [], "pagination": {}}),
    (r"connectors/directory/list(?:_workspace)?", {"apps": []}),
)


class FixedAnswerHandler(BodilessHandler):
    """A side call whose truthful answer is always the same."""

    def get(self) -> None:
        below = self.request.path.removeprefix("/backend-api/")
        found = (a for path, a in FIXED_ANSWERS if re.fullmatch(path, below))
        self.write_json(next(found))


class AppsBatchHandler(BodilessHandler):
    """None of the apps that are asked for is here."""

    def post(self) -> None:
        self.write_json({"apps": []})


class ThreadUsageHandler(BodyHandler):
    """Nothing is estimated by thread: no credits of a subscription are spent here."""

    async def post(self) -> None:
        asked = load_object(await self.read_body()).get("thread_ids")
        ids = [one for one in (asked if isinstance(asked, list) else []) if text(one)]
        nothing = {"estimated_usage_credits_micros": 0, "groups": []}
        self.write_json({"threads": [{"thread_id": id, **nothing} for id in ids]})


class ResetCreditsHandler(BodilessHandler):
    """The resets that are banked, to whom the windows are shown as well."""

    async def get(self) -> None:
        banked = Banked()
        if sees_pool(self):
            banked = await self.gateway.resets.banked()
        self.write_json(banked._asdict())


class ConsumeResetHandler(BodilessHandler):
    """A banked reset is used by its owner alone."""

    def post(self) -> None:
        raise OwnersAlone(f"A banked reset is used by its owner: {OWNERS_COMMAND}")


class NudgeHandler(BodilessHandler):
    """No mail is sent in anybody's name."""

    def post(self) -> None:
        raise OwnersAlone("Ask the gateway's owner for more: nobody is written to here")


class AnalyticsHandler(BodilessHandler):
    """The client's telemetry ends here."""

    def post(self) -> None:
        self.write_json({})


class McpHandler(BodyHandler):
    """An MCP server without tools (streamable HTTP, one JSON answer a request)."""

    async def post(self) -> None:
        try:
            message = decode(await self.read_body())
        except ValidationError as error:
            raise refused(error) from error
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            raise InvalidPayload.because("method is required", param="method")
        id = message.get("id")
        if not isinstance(id, str | int | float | None):
            raise InvalidPayload.because("id must be a string or a number", param="id")
        if id is None:  # a notification wants no answer
            self.set_status(202)
            self.finish()
            return
        self.write_json({"jsonrpc": "2.0", "id": id, **_mcp_answer(message)})


# Every list there is, empty, by the name of its member.
_MCP_LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}


def _mcp_answer(message: dict[str, Any]) -> dict[str, Any]:
    method = message["method"]
    if method == "initialize":
        params = message.get("params")
        asked = params.get("protocolVersion") if isinstance(params, dict) else None
        return {
            "result": {
                "protocolVersion": text(asked) or MCP_PROTOCOL_VERSION,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "codex-gateway", "version": "1"},
            }
        }
    if method in _MCP_LISTS:
        return {"result": {_MCP_LISTS[method]: []}}
    if method == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": f"No method {method[:60]!r}"}}
