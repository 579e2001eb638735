"""Observed: the parts of a gateway that are read from outside of its turns."""

from collections.abc import Iterable, Sized
from typing import Protocol

from gateway.accounts.pool import Pool
from gateway.admission.arrivals import Arrivals
from gateway.admission.body_budget import BodyBudget
from gateway.keys.key import KeyRing
from gateway.keys.limiter import Limiter
from gateway.monitoring.supervisor import Supervisor
from gateway.store.store import Store
from gateway.turns.runner import TurnRunner


class ObservedDevice(Protocol):
    """A device that signed in to a seat."""

    @property
    def id(self) -> int: ...
    @property
    def key_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def created_at(self) -> float: ...
    @property
    def ends_at(self) -> float | None: ...
    @property
    def end_reason(self) -> str | None: ...


class ObservedSignIns(Protocol):
    """Who signed in with Codex."""

    def devices(self) -> Iterable[ObservedDevice]: ...


class ObservedMembers(Protocol):
    """Who else serves from the database."""

    @property
    def is_alone(self) -> bool: ...


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
    def oauth(self) -> ObservedSignIns: ...
    @property
    def membership(self) -> ObservedMembers: ...
    @property
    def channels(self) -> Sized: ...
