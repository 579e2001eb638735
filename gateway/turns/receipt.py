"""What a turn leaves behind: lines of its receipt, its usage, its settlement."""

import time
from typing import Any

from gateway.failover.decision import Decision, Elsewhere, GiveUp, RetryHere, WaitOut
from gateway.keys.metering import TurnEnd
from gateway.keys.model_errors import plain_name
from gateway.protocol.facts import NOT_LOGGED, Failure, scoped
from gateway.protocol.failure_kind import kind_of
from gateway.protocol.outcome import OutcomeReader
from gateway.turns.exchange import Exchange
from gateway.turns.turn import Turn


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
            "kind": kind_of(failure),
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
    if reader.model != exchange.model:
        exchange.served_model = plain_name(reader.model)


def turn_end(turn: Turn) -> TurnEnd:
    """How a turn ended, for its settlement."""
    exchange, reader = turn.exchange, turn.reader
    name, at = exchange.response_id, turn.sent_at
    cut = exchange.is_stopped and exchange.status == "error"
    return TurnEnd(
        "interrupted" if cut else exchange.status,
        exchange.usage,
        reader.model,
        reader.service_tier,
        response=name and scoped(turn.demand.key_id, "response", name),
        account=exchange.account_name,
        streamed=max(
            exchange.response_bytes - reader.other_bytes,
            reader.output_started,
            turn.whole.lost_bytes,
        ),
        seconds=None if at is None else time.monotonic() - at,
    )
