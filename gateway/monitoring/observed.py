"""Observed: the parts of a gateway that are read from outside of its turns."""

from collections.abc import Sized
from typing import Protocol

from gateway.accounts.pool import Pool
from gateway.admission.arrivals import Arrivals
from gateway.admission.body_budget import BodyBudget
from gateway.keys.key import KeyRing
from gateway.keys.limiter import Limiter
from gateway.monitoring.supervisor import Supervisor
from gateway.store.store import Store
from gateway.turns.runner import TurnRunner


class Observed(Protocol):
    """What `Gateway` has of these; it is read, never changed."""

    pool: Pool
    ring: KeyRing
    limiter: Limiter
    arrivals: Arrivals
    body_budget: BodyBudget
    store: Store
    supervisor: Supervisor
    turns: TurnRunner
    is_draining: bool

    @property
    def channels(self) -> Sized: ...
