"""What an operator switches while the gateway runs; kept in the database."""

from typing import get_args

from gateway.accounts.strategies import Strategy
from gateway.admin.errors import Unacceptable
from gateway.repository import audit
from gateway.store.models import Setting

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
DEFAULT_STRATEGY: Strategy = "capacity_weighted"


def stored_strategy() -> Strategy | None:
    """How the pool is to choose; None when nothing usable was set."""
    stored = read("strategy")
    return next((one for one in STRATEGIES if one == stored), None)


def load_strategy() -> Strategy:
    return stored_strategy() or DEFAULT_STRATEGY


def set_strategy(name: str, actor: str) -> None:
    """Raises Unacceptable."""
    if name not in STRATEGIES:
        raise Unacceptable(
            f"strategy is one of {', '.join(STRATEGIES)}", param="strategy"
        )
    before = load_strategy()
    write("strategy", name)
    audit.record(actor, "settings.update", "strategy", before=before, after=name)


def read(name: str) -> str | None:
    row = Setting.get_or_none(Setting.name == name)
    return None if row is None else row.value


def write(name: str, value: str) -> None:
    Setting.insert(name=name, value=value).on_conflict(
        conflict_target=[Setting.name], update={"value": value}
    ).execute()
