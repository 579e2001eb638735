"""WorkerPorts: a parent's sockets, which outlive the workers that accept on them."""

import socket
from collections.abc import Iterable, Mapping
from itertools import chain

from handlers.listening import bind


class WorkerPorts:
    """`shared` is all workers' port; `own` are those of each slot, behind it."""

    def __init__(self, shared: list[socket.socket], *, are_any: bool) -> None:
        """`are_any`: the system chooses ports."""
        self.shared = shared
        self.own: dict[int, list[socket.socket]] = {}
        self._are_any = are_any

    @classmethod
    def kept(
        cls, shared: Iterable[int], own: Mapping[int, Iterable[int]], *, are_any: bool
    ) -> "WorkerPorts":
        """Of descriptors that this process has open."""
        made = cls([socket.socket(fileno=one) for one in shared], are_any=are_any)
        for slot, several in own.items():
            made.own[slot] = [socket.socket(fileno=one) for one in several]
        return made

    @property
    def port(self) -> int:
        return int(self.shared[0].getsockname()[1])

    def bind_missing(self, slots: int) -> None:
        """Have a port for each slot. Raises CannotListen."""
        host, port = self.shared[0].getsockname()[:2]
        for slot in range(1, slots + 1):
            if slot not in self.own:
                self.own[slot] = bind(host, 0 if self._are_any else port + slot)

    def let_go(self, slot: int) -> None:
        """Have whoever connects to a slot's own port hear that nobody is there."""
        for one in self.own.pop(slot, ()):
            one.close()

    def close(self) -> None:
        for one in [*self.shared, *chain(*self.own.values())]:
            one.close()
