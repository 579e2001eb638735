"""What the clients of a soak have seen."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that failed, with the monotonic time it took."""

    begin: float
    end: float
    transport: str
    error: "Failed"
    is_bound: bool  # its history is of use to one account only

    @property
    def code(self):
        return f"{self.error.status} {self.error.code}"


@dataclass(slots=True)
class Tally:
    """One for all clients together; times in seconds."""

    counts: Counter = field(default_factory=Counter)
    ways_cut: Counter = field(default_factory=Counter)
    refusals: list = field(default_factory=list)
    answers: list = field(default_factory=list)  # of whole answers
    first_events: list = field(default_factory=list)


class Failed(Exception):
    """The request was refused."""

    def __init__(self, status, error):
        super().__init__(f"{status} {error}")
        self.status = status
        told = error if isinstance(error, dict) else {"message": str(error)}
        self.code = told.get("code")
        self.request_id = told.get("request_id")
        self.resets_at = told.get("resets_at")
        self.is_key_limit = told.get("plan_type") == "api_key"
        # Upstream's own 500 passes as it came, and names nobody.
        self.is_internal = status == 500 and told.get("origin") == "gateway"


class Lost(Exception):
    """The answer ended before it was whole."""


class Resend(Exception):
    """The socket has forgotten the history."""


class Left(Exception):
    """The client itself has broken the answer off."""
