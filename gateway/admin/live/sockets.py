"""Client sockets: whose they are, since when, and how many turns they had."""

import heapq
import time
from typing import Any

from gateway.admission.body_budget import Sender
from gateway.admission.client_sockets import ClientSocket
from gateway.app import Gateway


def open_sockets(gateway: Gateway, most: int) -> list[dict[str, Any]]:
    """At most so many, the oldest first; times in seconds."""
    oldest = heapq.nsmallest(most, gateway.channels.items(), key=_opened_at)
    now = time.monotonic()
    return [
        {
            "key": _key_name(gateway, sender),
            "network": None if sender.has_key else sender.name,
            "age": round(now - socket.opened_at, 1),
            # None while a turn is running.
            "idle": socket.idle_since and round(now - socket.idle_since, 1),
            "turns": socket.turns,
        }
        for socket, sender in oldest
    ]


def _opened_at(item: tuple[ClientSocket, Sender]) -> float:
    return item[0].opened_at


def _key_name(gateway: Gateway, sender: Sender) -> str | None:
    """A socket may outlive its key for a while."""
    if sender.key_id is None:
        return None
    key = gateway.ring.get(sender.key_id)
    return f"#{sender.key_id}" if key is None else key.name
