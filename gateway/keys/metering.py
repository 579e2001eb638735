"""Metering: what a turn is expected to use of its key's limits, and is charged for.

Upstream's own count goes before everything. Where it gave none, because the client left
or the endpoint does not count, the charge is an estimate of what it will have counted.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from gateway.keys.counters import NOTHING_CHARGED, Charge, Charged
from gateway.keys.input_estimate import ConversationInput, InputSize
from gateway.keys.key import Key
from gateway.keys.limiter import Limiter
from gateway.keys.media_tokens import LONGEST_SPEECH, seconds_tokens
from gateway.keys.model_errors import ModelNotPriced
from gateway.keys.reservation import NO_RESERVATION, LimitsUnknown, Reservation
from gateway.keys.turn_history import largest_output
from gateway.pricing.pricing import Prices
from gateway.protocol.facts import Usage
from gateway.protocol.lenient_json import child
from gateway.protocol.numbers import seconds
from gateway.protocol.outcome import read_usage
from gateway.settings import UNPRICED

# A streamed token comes in an event of 150 to 300 bytes; the low end counts more
# tokens, for a stream that was cut off is to be counted with at least what it was.
_BYTES_PER_STREAMED_TOKEN = 150


@dataclass(slots=True)
class MeteredTurn:
    """One turn as its key's limits see it."""

    key: Key | None
    model: str | None
    tier: str | None
    kind: str  # what turns are alike: those of a model, or of an endpoint without one
    generates: bool  # a model answers in tokens
    size: InputSize
    names: tuple[str, ...] = ()  # of its conversation, scoped by the key
    previous: str | None = None  # the scoped id of the response it continues
    most_output: int = 0  # that upstream was told to keep to; 0: it was not
    expected_input: int = 0
    reservation: Reservation = NO_RESERVATION


class TurnEnd(NamedTuple):
    """How a turn ended, as far as it was seen."""

    status: Literal["success", "error", "interrupted"]  # the client left
    usage: Usage | None  # as upstream counted it
    model: str | None  # that upstream served, as the tier
    tier: str | None
    response: str | None  # the scoped id
    account: str | None  # its name, for it may have prices of its own
    streamed: int  # bytes of events that brought output, 0: none did
    seconds: float | None  # since upstream had the request; None: it never had it


class Spending(Protocol):
    """Whether other processes still count on what this one uses."""

    def may_spend(self) -> bool: ...

    async def confirm(self) -> bool:
        """Whether it may once that is known; waits for some seconds at most."""


class Metering:
    """Reserves for turns and settles them; remembers what upstream counted."""

    def __init__(
        self,
        limiter: Limiter,
        prices: Prices,
        unpriced: str = UNPRICED[0],
        spending: Spending | None = None,
    ) -> None:
        """`unpriced`: what cost limits make of a turn without a price.

        `spending`: of the processes that share the database; None: this one is alone.
        """
        self._spending = spending
        self._limiter, self._prices, self._unpriced = limiter, prices, unpriced
        self._history = limiter.history
        self._inputs = ConversationInput()

    async def reserve(self, turn: MeteredTurn) -> None:
        """Set aside what the turn is expected to use; see `Limiter.reserve`."""
        turn.expected_input = turn.size.tokens
        if turn.generates:
            turn.expected_input = self._inputs.expect(
                turn.names, turn.previous, turn.size
            )
        usage = Usage(input_tokens=turn.expected_input)
        model, table = turn.model, self._prices.table
        quote = table.quote(model, turn.tier)
        expected = Charge(usage, None, model, quote, turn.most_output)
        if turn.key is not None:
            if turn.key.has_closed_limit(model) and not await self._may_spend():
                raise LimitsUnknown
            refuses = turn.key.refuses_unpriced(model, self._unpriced)
            if refuses and not table.has_price(model, turn.tier, usage):
                raise ModelNotPriced(model, turn.tier)
            expected = self._history.expect(turn.key.id, turn.kind, expected)
        turn.reservation = await self._limiter.reserve(turn.key, expected, turn.model)

    async def _may_spend(self) -> bool:
        spending = self._spending
        return spending is None or spending.may_spend() or await spending.confirm()

    def settle(self, turn: MeteredTurn, end: TurnEnd) -> Charged:
        """Charge what upstream counted or will have counted.

        An estimate of what a client that left did not see is bounded by what was
        reserved.
        """
        usage = end.usage or self._estimate(turn, end)
        if usage is None:
            turn.reservation.release()
            return NOTHING_CHARGED
        if end.usage is not None and turn.generates:
            self._learn(turn, end, usage)
        self._remember(turn, end, usage)
        quote = self._prices.table.quote(
            end.model or turn.model, end.tier or turn.tier, end.account
        )
        cost = quote.cost(usage)
        most = quote.highest.cost(usage) if cost is None else cost
        is_estimate = end.usage is None
        is_guess = is_estimate and end.status == "interrupted"
        turn.reservation.settle(usage, most, within_reserved=is_guess)
        counted = most if cost is None and turn.reservation.limits_cost else None
        return Charged(usage, cost, counted, quote.cached_discount(usage), is_estimate)

    def _estimate(self, turn: MeteredTurn, end: TurnEnd) -> Usage | None:
        """What upstream will have counted.

        Tokens of an answer are seen, each in an event of its own; those of its
        reasoning are not, but take as long to write.
        """
        output = end.streamed // _BYTES_PER_STREAMED_TOKEN
        if end.status == "interrupted":
            if end.seconds is None:
                return None
            output = max(output, round(self._history.speed(turn.kind) * end.seconds))
        elif end.status == "error" and not end.streamed:
            return None
        output = min(output, largest_output(turn.model)) if turn.generates else 0
        return Usage(turn.expected_input, output_tokens=output)

    def _learn(self, turn: MeteredTurn, end: TurnEnd, usage: Usage) -> None:
        """Take what upstream counted as the measure of what comes."""
        names = turn.names if end.response is None else (*turn.names, end.response)
        self._inputs.note(names, usage, turn.expected_input)
        if end.status == "success" and end.seconds:
            self._history.note_speed(turn.kind, usage.output_tokens, end.seconds)

    def _remember(self, turn: MeteredTurn, end: TurnEnd, usage: Usage) -> None:
        if turn.key is None:
            return
        key_id, kind = turn.key.id, turn.kind
        if end.status == "success":
            self._history.note_finished(key_id, kind, usage, turn.expected_input)
        else:
            self._history.note_broken_off(key_id, kind, usage.output_tokens)


def document_usage(told: dict[str, Any]) -> Usage | None:
    """What upstream counted in a JSON answer, in tokens or in seconds of speech."""
    usage = read_usage(child(told, "usage")) or Usage()
    if not any(usage):
        speech = seconds(child(told, "usage").get("seconds"), LONGEST_SPEECH) or 0.0
        usage = Usage(input_tokens=seconds_tokens(speech))
    return usage if any(usage) else None
