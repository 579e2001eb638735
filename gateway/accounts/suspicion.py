"""Suspicion: what one client met is remembered for that client only. Pure.

A failure on a client's request may be the request's own doing. So it sends that
client's next turns elsewhere for a while and nobody else's, and the same failure met
by two clients is what speaks for more: see `verdicts`. Times are unix seconds.
"""

from dataclasses import dataclass, field
from itertools import islice

from gateway.accounts.shared.witnesses import Client

FIRST_SECONDS = 30.0  # doubles with each failure in a row
LONGEST_SECONDS = 300.0
LONGEST_ASKED_SECONDS = 3_600.0  # by upstream's Retry-After
# One vain wait for a short limit in so long, for each client and model.
INNER_WAIT_SECONDS = 30.0
# A client is in use when it sent something within this time.
IN_USE_SECONDS = 600.0
MAX_CLIENTS = 10_000
MAX_SUSPICIONS = 64  # of one client


@dataclass(slots=True)
class _Suspicion:
    until: float
    failures: int


@dataclass(slots=True)
class _Client:
    """What is remembered for one client."""

    seen_at: float
    suspicions: dict[tuple[int, str | None], _Suspicion] = field(default_factory=dict)
    waited_at: dict[str | None, float] = field(default_factory=dict)  # in vain


class Suspicions:
    """The accounts that each client is kept from; bounded for each of them."""

    def __init__(self) -> None:
        self._clients: dict[Client, _Client] = {}

    def count_request(self, client: Client, now: float) -> None:
        """Note that the client is in use."""
        known = self._clients.pop(client, None) or _Client(now)
        known.seen_at = now
        self._clients[client] = known  # the last used stands last
        if len(self._clients) > MAX_CLIENTS:
            del self._clients[next(iter(self._clients))]

    def is_alone(self, client: Client, now: float) -> bool:
        """Whether no other client is in use: then its conversations are witnesses."""
        last_two = islice(reversed(self._clients.items()), 2)
        return not any(
            name != client and known.seen_at > now - IN_USE_SECONDS
            for name, known in last_two
        )

    def suspect(
        self,
        client: Client,
        account_id: int,
        model: str | None,
        now: float,
        asked: float | None = None,
        *,
        is_passing: bool = False,
    ) -> bool:
        """Keep the client from the account for a while, or as long as upstream asks.

        `is_passing`: one failure of its kind is nothing, only a second in a row is.
        Whether it is something.
        """
        held = self._client(client, now).suspicions
        before = held.pop((account_id, model), None)
        failures = (0 if is_passing else 1) if before is None else before.failures + 1
        seconds = 0.0
        if failures:
            seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 8))
        if asked is not None and asked > 0:
            seconds = min(asked, LONGEST_ASKED_SECONDS)
        held[account_id, model] = _Suspicion(now + seconds, failures)
        if len(held) > MAX_SUSPICIONS:
            del held[next(iter(held))]
        return failures > 0

    def until(
        self, client: Client, account_id: int, model: str | None, now: float
    ) -> float | None:
        """When the client may go to the account again; None when it may now."""
        known = self._clients.get(client)
        found = known and known.suspicions.get((account_id, model))
        # A longer one is of a clock that was ahead.
        if found and now < found.until <= now + LONGEST_ASKED_SECONDS:
            return found.until
        return None

    def acquit(self, client: Client, account_id: int, model: str | None) -> None:
        """The client's request went well there."""
        known = self._clients.get(client)
        if known is not None:
            known.suspicions.pop((account_id, model), None)
            known.waited_at.pop(model, None)

    def may_wait(self, client: Client, model: str | None, now: float) -> bool:
        """Whether a short limit may be waited out for the client."""
        known = self._clients.get(client)
        waited_at = known.waited_at.get(model) if known else None
        return waited_at is None or now - waited_at >= INNER_WAIT_SECONDS

    def note_vain_wait(self, client: Client, model: str | None, now: float) -> None:
        """The client waited, and the limit goes on."""
        waits = self._client(client, now).waited_at
        waits.pop(model, None)
        waits[model] = now
        if len(waits) > MAX_SUSPICIONS:
            del waits[next(iter(waits))]

    def _client(self, client: Client, now: float) -> _Client:
        self.count_request(client, now)
        return self._clients[client]
