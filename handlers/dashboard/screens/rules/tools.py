"""/dashboard/tools: what becomes of each type of tool, and how often rules were met."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.admin.entity import entity
from gateway.admin.key_rules.entities import TOOL_RULES
from gateway.admin.reports import count_rules
from gateway.keys.key import Key
from gateway.keys.request_rules import NO_RULES, RequestRules
from gateway.repository.options import shown_rules
from gateway.sign_in.users import Role
from handlers.dashboard.changes.confirming import ConfirmedScreen
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.create import checked
from handlers.dashboard.screens.keys.key_links import key_at
from handlers.dashboard.screens.rules.settings import change_settings, lines_of
from schemas.policy.tools import (
    DEFAULT_RULES,
    KINDS_OF_ACCOUNT,
    KNOWN_TYPES,
    KindOfAccount,
    ToolPolicy,
)
from schemas.surfaces import Surface

_PATH = "/dashboard/tools"
_MOST_COUNTS = 50
# Keys in the list to choose from: those that have rules of their own.
_MOST_KEYS = 200
_SURFACES = ((Surface.CODEX, "Codex"), (Surface.V1, "/v1"))
_ACCOUNTS = {"chatgpt": "ChatGPT", "api_key": "API key"}
_LEVELS = {"pass": "good", "strip": "warn", "refuse": "bad"}
_COLUMNS = [
    f"{surface}, {account}"
    for _, surface in _SURFACES
    for account in _ACCOUNTS.values()
]


@dataclass(frozen=True, slots=True)
class ShownAction:
    """What becomes of a type in a column; by `whose` rule, "" for a default."""

    action: str
    whose: str

    @property
    def level(self) -> str:
        return _LEVELS[self.action]


def tool_table(
    rules: RequestRules, of_key: RequestRules
) -> list[tuple[str, list[ShownAction]]]:
    """All types that are known or named, each with its action in every column."""
    both = rules.with_those_of(of_key).tools
    names = {rule.type for rule in DEFAULT_RULES} | {rule.type for rule in both}
    places = [(s, account) for s, _ in _SURFACES for account in KINDS_OF_ACCOUNT]
    policies = {
        surface: [ToolPolicy(surface, one) for one in ((), rules.tools, both)]
        for surface, _ in _SURFACES
    }
    return [
        (
            name,
            [_action(policies[surface], name, account) for surface, account in places],
        )
        for name in sorted(names | KNOWN_TYPES)
    ]


def _action(
    policies: list[ToolPolicy], name: str, account: KindOfAccount
) -> ShownAction:
    """By the defaults, with everybody's rules, and with the key's."""
    first, for_all, found = (policy.action(name, account) for policy in policies)
    whose = "key" if found != for_all else "all" if found != first else ""
    return ShownAction(found, whose)


class ToolsScreen(ConfirmedScreen):
    """The table as it holds for everybody, or for a key; its form changes the rules."""

    least_role: ClassVar = {"get": Role.VIEWER, "post": Role.OPERATOR}

    async def get(self) -> None:
        gateway, name = self.gateway, self.get_query_argument("key", "")
        key = key_at(gateway, name) if name else None
        of_key = NO_RULES if key is None else key.rules
        await self.show(
            "rules/tools.html",
            read_tools,
            gateway.rules,
            of_key,
            time.time(),
            key=key,
            keys_with_rules=_with_rules(gateway.ring),
            columns=_COLUMNS,
            tools=self.given.get(
                "tools", "\n".join(shown_rules(gateway.rules)["tools"])
            ),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        wanted = checked(_CHANGE, {"tools": lines_of(form.get("tools", ""))})
        made = await self.confirmed(
            form, "Change the tool policy", change_settings, wanted, self.actor
        )
        if made is not None:
            self.go(_PATH)


_CHANGE = entity("ToolsChange", TOOL_RULES)


def _with_rules(keys: Iterable[Key]) -> list[str]:
    return sorted(key.name for key in keys if key.rules.tools)[:_MOST_KEYS]


def read_tools(rules: RequestRules, of_key: RequestRules, now: float) -> dict[str, Any]:
    """The table, and how often each rule was met in 30 days."""
    counts = Counter[tuple[str, str]]()
    latest: dict[tuple[str, str], str] = {}
    for row in count_rules("30d", now):  # the latest day first
        met = row["kind"], row["rule"]
        counts[met] += row["requests"]
        latest.setdefault(met, row["day"])
    rows = [
        {"kind": kind, "rule": rule, "requests": requests, "day": latest[kind, rule]}
        for (kind, rule), requests in counts.most_common(_MOST_COUNTS)
    ]
    return {
        "table": tool_table(rules, of_key),
        "counts": rows,
        "more_counts": max(0, len(counts) - _MOST_COUNTS),
    }
