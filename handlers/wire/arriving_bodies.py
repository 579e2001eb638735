"""Arriving bodies: each has a deadline, and has to come at a pace."""

from dataclasses import dataclass
from typing import Protocol

from handlers.wire.deadlines import Deadlines


@dataclass(frozen=True, slots=True)
class ArrivalLimits:
    """How long a client may take to send, and to read its answer, in seconds."""

    head: float = 300.0  # its next request, to the end of the headers
    body: float = 600.0
    side_body: float = 10.0  # of a request that needs no key
    pace_window: float = 20.0
    pace: int = 1024  # bytes a second, over each window
    refused_body: float = 1.0
    unread: float = 60.0  # without a byte taken of an answer; nginx's send_timeout


ARRIVAL_LIMITS = ArrivalLimits()


class Arriving(Protocol):
    """A request's body, or a message on a socket."""

    @property
    def received(self) -> int:
        """Bytes of it."""

    def close_connection(self) -> None:
        """It takes too long."""

    def __hash__(self) -> int: ...


class ArrivingBodies:
    """Closes the connection of a body that takes too long, or hardly comes at all."""

    def __init__(self, limits: ArrivalLimits) -> None:
        self._wholes = Deadlines(limits.body)
        self._side_calls = Deadlines(limits.side_body)
        self._windows = Deadlines(limits.pace_window)
        self._least = limits.pace * limits.pace_window

    def begin(self, body: Arriving, *, is_side_call: bool) -> None:
        """The head has been read, and the body is."""
        wholes = self._side_calls if is_side_call else self._wholes
        wholes.begin(body, body.close_connection)
        self._begin_window(body)

    def end(self, body: Arriving) -> None:
        """The body has arrived, or does not matter any more."""
        for deadlines in (self._wholes, self._side_calls, self._windows):
            deadlines.end(body)

    def close(self) -> None:
        for deadlines in (self._wholes, self._side_calls, self._windows):
            deadlines.close()

    def _begin_window(self, body: Arriving) -> None:
        before = body.received
        self._windows.begin(body, lambda: self._end_window(body, before))

    def _end_window(self, body: Arriving, before: int) -> None:
        if body.received - before < self._least:
            body.close_connection()
        else:
            self._begin_window(body)
