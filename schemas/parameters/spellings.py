"""Spellings: parameters as libraries in JavaScript write them, under their own names.

Only parameters that a rule or a field of a schema knows: what is named nowhere passes.
"""

import re
from collections.abc import Mapping
from typing import Any

from schemas.parameters.unsupported import REFUSED_BY_CHATGPT


def _camel_case(name: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def _spellings(*names: str) -> dict[str, str]:
    return {_camel_case(name): name for name in names}


RESPONSES_SPELLINGS = _spellings(
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "service_tier",
    "tool_choice",
    *(parameter.name for parameter in REFUSED_BY_CHATGPT if "_" in parameter.name),
)
# Chat completions have these as well; they are read before the request is mapped.
CHAT_SPELLINGS = RESPONSES_SPELLINGS | _spellings(
    "function_call",
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "response_format",
    "stream_options",
    "web_search_options",
)
STREAM_OPTION_SPELLINGS = _spellings("include_obfuscation", "include_usage")


def respell(
    payload: Mapping[str, Any], spellings: Mapping[str, str]
) -> tuple[Mapping[str, Any], list[str]]:
    """The payload under the names of the API, and what was changed about it.

    A value under the parameter's own name wins. The same payload when nothing has
    another name.
    """
    if spellings.keys().isdisjoint(payload):
        return payload, []
    renamed, changes = dict(payload), []
    for spelling, name in spellings.items():
        if spelling not in renamed:
            continue
        value = renamed.pop(spelling)
        if value is not None and renamed.get(name) is None:
            renamed[name] = value
        changes.append(f"{spelling} read as {name}")
    return renamed, changes
