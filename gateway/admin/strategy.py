"""The routing strategy, as an operator changes it."""

from gateway.accounts.strategies import STRATEGIES
from gateway.admin.entity import Changed
from gateway.admin.errors import Unacceptable
from gateway.repository import audit
from gateway.repository.options import load_strategy, write


def set_strategy(name: str, actor: str) -> Changed:
    """Raises Unacceptable."""
    if name not in STRATEGIES:
        raise Unacceptable(
            f"strategy is one of {', '.join(STRATEGIES)}", param="strategy"
        )
    before = load_strategy()
    write("strategy", name)
    audit.record(actor, "settings.update", "strategy", before=before, after=name)
    return Changed.between("strategy", {"strategy": before}, {"strategy": name})
