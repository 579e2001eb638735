"""The models the scripted upstream offers, in both catalogue shapes."""

import hashlib
import json
from typing import Any

from gateway.demo.answers import ScriptedResponse

_EFFORTS = ("low", "medium", "high", "xhigh")


def _model(slug: str, priority: int, *, lite: bool) -> dict[str, Any]:
    """An entry as Codex reads it; `lite` models get their tools inside the input."""
    return {
        "slug": slug,
        "display_name": slug.upper(),
        "description": "A model of the scripted upstream.",
        "prefer_websockets": True,
        "support_verbosity": True,
        "default_verbosity": "low",
        "apply_patch_tool_type": "freeform",
        "web_search_tool_type": "text_and_image",
        "input_modalities": ["text", "image"],
        "supports_image_detail_original": True,
        "truncation_policy": {"mode": "tokens", "limit": 10000},
        "supports_parallel_tool_calls": True,
        "tool_mode": "code_mode_only" if lite else None,
        "multi_agent_version": "v2" if lite else None,
        "use_responses_lite": lite,
        "context_window": 272000,
        "max_context_window": 272000,
        "auto_compact_token_limit": None,
        "default_reasoning_summary": "none",
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [
            {"effort": effort, "description": f"{effort} effort"} for effort in _EFFORTS
        ],
        "shell_type": "shell_command",
        "visibility": "list",
        "minimal_client_version": "0.1.0",
        "supported_in_api": True,
        "priority": priority,
        "model_messages": {
            "instructions_template": "You are Codex, talking to a scripted upstream.",
        },
        "experimental_supported_tools": [],
        "available_in_plans": ["free", "go", "plus", "pro", "team", "business"],
        "supports_search_tool": True,
        "service_tiers": [
            {"id": "priority", "name": "Fast", "description": "Twice the speed"}
        ],
        "additional_speed_tiers": ["fast"],
        "default_service_tier": None,
        "supports_reasoning_summary_parameter": True,
        "supports_reasoning_summaries": True,
        "supports_reasoning_effort_updates": lite,
    }


def default_models() -> list[dict[str, Any]]:
    """A lite model (Codex's default choice) and two with top-level tools."""
    return [
        _model("gpt-6.1-sol", 1, lite=True),
        _model("gpt-5.5", 2, lite=False),
        _model("gpt-5.4-mini", 3, lite=False),
    ]


def answer(models: list[dict[str, Any]], *, openai: bool) -> ScriptedResponse:
    listed = openai_list(models) if openai else {"models": models}
    return ScriptedResponse.json(listed, headers={"etag": etag(models)})


def openai_list(models: list[dict[str, Any]]) -> dict[str, Any]:
    """The same models as an OpenAI-compatible endpoint lists them."""
    return {
        "object": "list",
        "data": [
            {
                "id": model["slug"],
                "object": "model",
                "created": 1_700_000_000,
                "owned_by": "demo",
            }
            for model in models
        ],
    }


def etag(models: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256(json.dumps(models).encode()).hexdigest()[:16]
    return f'W/"{digest}"'
