"""The turns that run: what each is doing, and stopping one."""

import heapq
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.admin.entity import Field, entity, similar_fields
from gateway.admin.errors import NotThere, Unacceptable
from gateway.app import Gateway
from gateway.repository.audit import record
from gateway.store.database import StoreUnavailable
from gateway.store.log.queries import SHORTEST_PREFIX
from gateway.turns.exchange import Exchange

logger = logging.getLogger("gateway.turns")

# What a turn is doing, by the last phase of its record that has ended.
PHASES = {
    "": "checking",  # its body
    "body": "waiting",  # for its key's limits, or for an account
    "queue": "sent",  # to its account, as far as it takes it
    "connect": "accepted",  # by upstream, which says nothing yet
    "first_event": "thinking",  # of which clients see no word
    "first_output": "answering",
}

TURN = entity(
    "RunningTurn",
    Field("id", description="its `x-request-id`"),
    Field("age", float, description="seconds"),
    Field("phase", choices=tuple(PHASES.values())),
    Field("silence", float, description="seconds since upstream did anything for it"),
    *similar_fields("request_bytes response_bytes", int),
    Field("failed_attempts", int),
    *similar_fields("account key model", nullable=True),
    *similar_fields("surface transport client user_agent"),
    Field("member", int, nullable=True, description="where it runs; null: here"),
)
TURN_LIST = entity(
    "RunningTurns",
    Field("turns", TURN, many=True, required=True),
    Field("unreached", int, many=True, description="members whose turns are not there"),
)


def running_turns(
    gateway: Gateway, order: str = "age", most: int | None = None
) -> list[dict[str, Any]]:
    """All, or the first in an order of `ORDERS`."""
    running = gateway.turns.running
    most = len(running) if most is None else most
    chosen = heapq.nsmallest(most, running, key=ORDERS[order])
    return [show_turn(gateway, exchange) for exchange in chosen]


def show_turn(gateway: Gateway, exchange: Exchange) -> dict[str, Any]:
    """One turn, read from the record that it fills anyway."""
    request, client = exchange.request, exchange.request.client
    account = gateway.pool.accounts.get(exchange.account_id or 0)
    now = time.monotonic()
    return {
        "id": client.request_id,
        "age": round(now - exchange.started, 1),
        "phase": PHASES[next(reversed(exchange.marks), "")],
        "silence": round(max(0.0, now - _heard_at(exchange)), 1),
        "request_bytes": request.size,
        "response_bytes": exchange.response_bytes,
        "failed_attempts": sum("phase" in one for one in exchange.attempts),
        "account": account and account.name,
        "key": request.key and request.key.name,
        "model": exchange.model,
        "surface": request.surface,
        "transport": request.transport,
        "client": client.address,
        "user_agent": client.user_agent,
    }


def _heard_at(exchange: Exchange) -> float:
    """When upstream did something for it; at first, when its last phase ended."""
    if exchange.silence is not None:
        return exchange.silence.heard_at
    return exchange.started + next(reversed(exchange.marks.values()), 0) / 1000


# By what is least: who has been here, or has heard nothing, for longest goes first.
ORDERS: Mapping[str, Callable[[Exchange], float]] = {
    "age": lambda exchange: exchange.started,
    "silence": _heard_at,
}


def find_turn(gateway: Gateway, name: str) -> Exchange:
    """The running turn of a request id or its beginning.

    Raises NotThere, or Unacceptable when there are several.
    """
    chosen = name.lower()
    ids = {one.request.client.request_id: one for one in gateway.turns.running}
    found = [one for id, one in ids.items() if id.startswith(chosen)]
    if len(chosen) < SHORTEST_PREFIX or not found:
        raise NotThere("running turn", name)
    if len(found) > 1:
        raise Unacceptable(f"'{name}' may be any of {len(found)} running turns")
    return found[0]


async def cut_turn(gateway: Gateway, name: str, actor: str) -> dict[str, Any]:
    """Stop a turn; how it was. Raises as `find_turn`."""
    exchange = find_turn(gateway, name)
    shown = show_turn(gateway, exchange)
    gateway.turns.stop(exchange)
    told = {field: shown[field] for field in ("key", "account", "phase")}
    try:
        await gateway.store.write(
            lambda: record(actor, "turn.cut", shown["id"], **told)
        )
    except StoreUnavailable:  # it is stopped all the same, and that is what was asked
        logger.warning("the turn %s was stopped, which the audit lacks", shown["id"])
    return shown
