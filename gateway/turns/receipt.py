"""What a turn leaves behind: lines of its receipt, its usage, its settlement."""

from typing import Any

from gateway.failover.decision import (
    Decision,
    Elsewhere,
    GiveUp,
    RetryHere,
    WaitOut,
)
from gateway.keys.limiter import Reservation
from gateway.keys.pricing import cost_microdollars
from gateway.protocol.facts import NOT_LOGGED, Failure, Usage
from gateway.protocol.outcome import OutcomeReader
from gateway.turns.exchange import Exchange

BYTES_PER_TOKEN = 4
# A streamed token comes in an event of 150 to 300 bytes; the low end counts more
# tokens, for a stream that was cut off is to be counted with at least what it was.
BYTES_PER_STREAMED_TOKEN = 150


def words(decision: Decision) -> str:
    """What a decision was, for the receipt."""
    match decision:
        case RetryHere(after=after):
            return f"again after {after:g} s"
        case WaitOut(after=after):
            return f"again after {after:.1f} s, when the first account is well"
        case Elsewhere():
            return "elsewhere"
        case GiveUp(why=why):
            return why


def note_attempt(
    exchange: Exchange, account: str, failure: Failure | None, then: str
) -> None:
    """One line of the receipt."""
    attempt: dict[str, Any] = {"account": account, "then": then}
    attempt["ms"] = exchange.elapsed_ms
    if failure is not None:
        attempt |= {
            "phase": failure.phase,
            "status": failure.status,
            "code": failure.logged.code,
            "origin": failure.origin,
        }
    exchange.attempts.append(attempt)


def take_outcome(exchange: Exchange, reader: OutcomeReader) -> None:
    """Bring what the stream told into the record.

    Clients leave once they have seen the last event: their turns are whole.
    """
    if exchange.status == "interrupted" and reader.failure is not None:
        exchange.break_off(reader.failure)
    elif exchange.error_message == NOT_LOGGED and reader.failure is not None:
        exchange.take_words(reader.failure.logged)  # compared, where that could be
    elif exchange.status == "interrupted" and reader.is_terminal:
        exchange.succeed()
    exchange.usage = reader.usage or exchange.usage
    exchange.response_id = reader.response_id or exchange.response_id
    exchange.answered_tier = reader.service_tier
    if reader.usage is None and reader.output_started:
        # Cut off after its output began: at least what was seen is counted.
        exchange.usage = Usage(
            input_tokens=exchange.request.size // BYTES_PER_TOKEN,
            output_tokens=exchange.response_bytes // BYTES_PER_STREAMED_TOKEN,
        )
    if exchange.usage is not None:
        exchange.cost_microdollars = cost_microdollars(
            reader.model or exchange.model,
            exchange.usage,
            reader.service_tier or exchange.requested_tier,
        )


def settle(exchange: Exchange, reservation: Reservation) -> None:
    if exchange.usage is None:
        reservation.release()
    else:
        reservation.settle(exchange.usage, exchange.cost_microdollars)
