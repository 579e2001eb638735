"""Client sockets: how many each sender has open, and which makes room for the next."""

from collections import defaultdict
from collections.abc import ItemsView
from typing import Protocol

from gateway.admission.body_budget import Sender
from gateway.errors import UpgradeRequired


class ClientSocket(Protocol):
    """One open socket of a client."""

    opened_at: float  # monotonic seconds, as the next
    idle_since: float | None  # None while a turn is running
    turns: int  # begun on it

    def drain(self) -> None:
        """Close as soon as no turn is running; a client comes back unnoticed."""

    def cut(self) -> None:
        """Close at once."""


class ClientSockets:
    """All that are open; each sender may keep so many."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._senders: dict[ClientSocket, Sender] = {}
        # Of each sender, and whether it was told to leave.
        self._lines: dict[Sender, dict[ClientSocket, bool]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._senders)

    def items(self) -> ItemsView[ClientSocket, Sender]:
        return self._senders.items()

    def drain(self) -> None:
        """Close all that are idle, and the others when their turn has ended."""
        for socket in tuple(self._senders):
            socket.drain()

    def cut(self) -> None:
        for socket in tuple(self._senders):
            socket.cut()

    def make_room(self, sender: Sender) -> None:
        """Have the sender's longest idle socket leave, if it must.

        Raises UpgradeRequired when none is idle, or too many have not yet left.
        """
        line = self._lines.get(sender, {})
        staying = [socket for socket, is_leaving in line.items() if not is_leaving]
        if len(staying) < self._limit and len(line) < 2 * self._limit:
            return
        since = {
            socket: socket.idle_since
            for socket in staying
            if socket.idle_since is not None
        }
        if not since or len(line) >= 2 * self._limit:
            raise UpgradeRequired("Too many WebSockets are in use here; use HTTP")
        longest = min(since, key=since.__getitem__)
        line[longest] = True
        longest.drain()

    def add(self, socket: ClientSocket, sender: Sender) -> None:
        self._senders[socket] = sender
        self._lines[sender][socket] = False

    def discard(self, socket: ClientSocket) -> None:
        """It has closed; idempotent."""
        sender = self._senders.pop(socket, None)
        if sender is not None:
            line = self._lines[sender]
            del line[socket]
            if not line:
                del self._lines[sender]
