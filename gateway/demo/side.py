"""Answers of the quiet routes: what a perfect backend says to Codex's side calls."""

import time
from typing import Any

from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import new_id, usage
from gateway.demo.received import Received
from gateway.demo.scenarios import seal

# A PNG of one transparent pixel.
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6"
    "kgAAAABJRU5ErkJggg=="
)


def usage_response(account: DemoAccount | None) -> ScriptedResponse:
    """`wham/usage`: the account's windows."""
    plan = account.plan if account else "plus"
    primary = account.primary_percent if account else 12.0
    secondary = account.secondary_percent if account else 30.0
    limited_until = account.limited_until if account else 0.0
    if limited_until > time.time():
        primary = 100.0
    exhausted = max(primary, secondary) >= 100
    return ScriptedResponse.json(
        {
            "plan_type": plan,
            "rate_limit": {
                "allowed": not exhausted,
                "limit_reached": exhausted,
                "primary_window": _window(primary, 18_000, limited_until),
                "secondary_window": _window(secondary, 604_800),
            },
            "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        }
    )


def limit_headers(account: DemoAccount) -> dict[str, str]:
    """The same windows as headers of a response."""
    now = int(time.time())
    return {
        "x-codex-plan-type": account.plan,
        "x-codex-primary-used-percent": f"{account.primary_percent:g}",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": str(now + 9_000),
        "x-codex-secondary-used-percent": f"{account.secondary_percent:g}",
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-secondary-reset-at": str(now + 302_400),
    }


def _tool_answer(received: Received) -> ScriptedResponse:
    """Compaction, images, search and transcription: one JSON object each."""
    now = int(time.time())
    answers: dict[str, dict[str, Any]] = {
        "compact": {
            "id": new_id("resp"),
            "object": "response.compaction",
            "created_at": now,
            "output": [
                {
                    "id": new_id("cmp"),
                    "type": "compaction",
                    "encrypted_content": seal("summary", received.account),
                }
            ],
            "usage": usage(),
        },
        "images": {"created": now, "data": [{"b64_json": _PIXEL}]},
        "search": {"id": new_id("search"), "output": "Nothing was found."},
        "transcribe": {"text": "scripted words"},
    }
    return ScriptedResponse.json(answers[received.route])


def side_answer(received: Received, account: DemoAccount | None) -> ScriptedResponse:
    path = received.path
    if received.route == "usage":
        return usage_response(account)
    if received.route != "side":
        return _tool_answer(received)
    if path.endswith("/wham/accounts/check"):
        return _accounts_check(account)
    if path.endswith("/ps/mcp"):
        return _mcp(received)
    if any(part in path for part in ("/analytics-events/", "/wham/", "/ps/plugins/")):
        return ScriptedResponse.json(
            {"plugins": [], "pagination": {"next_page_token": None}}
        )
    return ScriptedResponse.json({"error": {"message": f"no route {path}"}}, 404)


def _accounts_check(account: DemoAccount | None) -> ScriptedResponse:
    account_id = account.account_id if account else "acc-unknown"
    return ScriptedResponse.json(
        {
            "accounts": [
                {
                    "id": account_id,
                    "account_user_id": f"u__{account_id}",
                    "account_user_role": "account-owner",
                    "structure": "personal",
                    "plan_type": account.plan if account else "plus",
                    "is_zdr": False,
                    "is_openai_internal": False,
                    "can_access_with_session": True,
                    "workspace_backend_origin": "https://chatgpt.com",
                    "account_routing_override": (
                        account.routing if account else "NO_CONSTRAINT"
                    ),
                }
            ],
            "default_account_id": account_id,
            "account_ordering": [account_id],
        }
    )


def _mcp(received: Received) -> ScriptedResponse:
    """An MCP server without tools."""
    call = received.payload
    if "id" not in call:
        return ScriptedResponse(status=202, headers={"content-length": "0"})
    results: dict[str, Any] = {
        "initialize": {
            "protocolVersion": (call.get("params") or {}).get(
                "protocolVersion", "2025-06-18"
            ),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "demo", "version": "1"},
        },
        "tools/list": {"tools": []},
    }
    result = results.get(str(call.get("method")), {})
    return ScriptedResponse.json({"jsonrpc": "2.0", "id": call["id"], "result": result})


def _window(
    used_percent: float, seconds: int, limited_until: float = 0.0
) -> dict[str, Any]:
    now = time.time()
    left = max(0, round(limited_until - now)) or seconds // 2
    return {
        "used_percent": used_percent,
        "limit_window_seconds": seconds,
        "reset_after_seconds": left,
        "reset_at": int(now) + left,
    }
