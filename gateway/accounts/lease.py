"""Lease: one request's hold on an account, from the grant to the release."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.accounts.account import Account
from gateway.accounts.affinity import Conversation
from gateway.accounts.eligibility import Demand


@dataclass(slots=True, eq=False)
class Lease:
    """An account held for one request; `release` it in every case."""

    account: Account
    demand: Demand
    reason: str
    passed_over: tuple[tuple[str, str], ...] = ()
    switched_from: str | None = None  # name of the account that answered before
    switch_cause: str | None = None
    turn_state: str | None = None  # the client's, when this account may see it
    granted_at: float = 0.0  # monotonic seconds
    attempt_at: float = 0.0  # when the latest attempt can have begun
    is_trial: bool = False
    lost_home: int | None = None  # the conversation's lost home: this becomes it
    conversation: Conversation | None = None
    has_failed: bool = False
    on_release: Callable[["Lease"], None] | None = field(default=None, repr=False)

    def release(self) -> None:
        """Idempotent."""
        callback, self.on_release = self.on_release, None
        if callback is not None:
            callback(self)

    def end_trial(self) -> None:
        """Let the next request be the account's trial."""
        if self.is_trial:
            self.is_trial = self.account.health.trial_running = False
