"""What an operator switches while the gateway runs; kept in the database."""

from gateway.accounts.strategies import STRATEGIES, Strategy
from gateway.store.models import Setting

DEFAULT_STRATEGY: Strategy = "capacity_weighted"


def stored_strategy() -> Strategy | None:
    """How the pool is to choose; None when nothing usable was set."""
    stored = read("strategy")
    return next((one for one in STRATEGIES if one == stored), None)


def load_strategy() -> Strategy:
    return stored_strategy() or DEFAULT_STRATEGY


def read(name: str) -> str | None:
    row = Setting.get_or_none(Setting.name == name)
    return None if row is None else row.value


def write(name: str, value: str) -> None:
    Setting.insert(name=name, value=value).on_conflict(
        conflict_target=[Setting.name], update={"value": value}
    ).execute()
