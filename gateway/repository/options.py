"""What an operator switches while the gateway runs; kept in the database."""

import json

from gateway.accounts.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy
from gateway.keys.request_rules import RequestRules, parse_rules
from gateway.store.models import SettingRow

# What is set for requests, in the order of the fields of RequestRules.
RULES = ("tools", "aliases")


def load_strategy() -> Strategy:
    """The strategy that is set, or the default when nothing usable is."""
    stored = read("strategy")
    return next((one for one in STRATEGIES if one == stored), DEFAULT_STRATEGY)


def load_rules() -> RequestRules:
    """What is set for everybody's requests."""
    return parse_rules(*(json.loads(read(name) or "[]") for name in RULES))


def load_shown_rules() -> dict[str, list[str]]:
    """Their texts."""
    return shown_rules(load_rules())


def shown_rules(rules: RequestRules) -> dict[str, list[str]]:
    """The texts that an operator reads and writes."""
    return {name: list(map(str, getattr(rules, name))) for name in RULES}


def read(name: str) -> str | None:
    row = SettingRow.get_or_none(SettingRow.name == name)
    return None if row is None else row.value


def write(name: str, value: str) -> None:
    SettingRow.insert(name=name, value=value).on_conflict(
        conflict_target=[SettingRow.name], update={"value": value}
    ).execute()
