"""What an operator switches while the gateway runs; kept in the database."""

import json

from gateway.accounts.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy
from gateway.keys.request_rules import RequestRules, parse_rules
from gateway.store.models import SettingRow

TOOLS = "tools"


def load_strategy() -> Strategy:
    """The strategy that is set, or the default when nothing usable is."""
    stored = read("strategy")
    return next((one for one in STRATEGIES if one == stored), DEFAULT_STRATEGY)


def load_rules() -> RequestRules:
    """What is set for everybody's requests."""
    return parse_rules(json.loads(read(TOOLS) or "[]"))


def shown_rules(rules: RequestRules) -> dict[str, list[str]]:
    """The texts that an operator reads and writes."""
    return {TOOLS: list(map(str, rules.tools))}


def read(name: str) -> str | None:
    row = SettingRow.get_or_none(SettingRow.name == name)
    return None if row is None else row.value


def write(name: str, value: str) -> None:
    SettingRow.insert(name=name, value=value).on_conflict(
        conflict_target=[SettingRow.name], update={"value": value}
    ).execute()
