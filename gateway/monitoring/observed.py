"""Observed: the parts of a gateway that metrics and the flight recorder read."""

from collections.abc import Collection
from typing import Protocol

from gateway.accounts.pool import Pool
from gateway.admission.request_body import BodyBudget
from gateway.keys.limiter import Limiter
from gateway.store.store import Store
from gateway.turns.runner import Turns
from gateway.turns.websocket import Channel


class Observed(Protocol):
    """What `Gateway` has of these; it is read, never changed."""

    pool: Pool
    limiter: Limiter
    body_budget: BodyBudget
    store: Store
    turns: Turns

    @property
    def channels(self) -> Collection[Channel]: ...
