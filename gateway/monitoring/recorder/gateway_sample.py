"""A sample of the gateway's load: its queues, and the streams longest silent."""

import heapq
from typing import Any

from gateway.monitoring.observed import Observed
from gateway.turns.exchange import Exchange

# Those whose upstream has been silent longest: with more, a minute of samples would
# not fit the ring.
MOST_STREAMS = 32


def sample_gateway(gateway: Observed, now: float) -> dict[str, Any]:
    """`now` is the loop's time."""
    running = gateway.turns.running
    shown = heapq.nsmallest(MOST_STREAMS, running, key=_last_received_at)
    return {
        "turns": len(running),
        "sockets": len(gateway.channels),
        "waiting": gateway.pool.waiting,
        "body_bytes": gateway.body_budget.used,
        "log_rows": gateway.store.writer.queue_depth,
        "streams": [_stream(exchange, now) for exchange in shown],
    }


def _stream(exchange: Exchange, now: float) -> dict[str, Any]:
    def since(moment: float) -> float:
        return round(max(0.0, now - moment), 2)

    sample: dict[str, Any] = {
        "id": exchange.request.client.request_id,
        "reached": next(reversed(exchange.marks), ""),
        "age": since(exchange.started),
    }
    if exchange.silence is not None:
        sample["heard"] = since(exchange.silence.heard_at)
        sample["sent"] = since(exchange.silence.sent_at)
    return sample


def _last_received_at(exchange: Exchange) -> float:
    silence = exchange.silence
    return exchange.started if silence is None else silence.heard_at
