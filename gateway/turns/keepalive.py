"""How long events may wait, and what fills the silence of an upstream at work."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """Seconds; no owner needs to set these."""

    # Held events leave after so long even when nothing else came: a client that sees
    # `response.created` knows that its request is being worked on.
    hold: float = 5.0
    # The Codex client's watchdog of 300 s is reset by data only: neither by comments
    # nor by pings, which are for proxies.
    data_keepalive: float = 60.0
    # After the terminal event: time for a [DONE] and the end of the body. An upstream
    # that leaves its connection open must not keep the client waiting.
    last_bytes: float = 1.0


STREAM_TIMING = StreamTiming()


class Silence:
    """One stream's pauses. Times are seconds of any clock that does not go back.

    `comment_after` and `data_after` say how long the client goes without any bytes,
    and without data; None: as long as it takes.
    """

    def __init__(
        self,
        now: float,
        *,
        idle_timeout: float,
        comment_after: float | None = None,
        data_after: float | None = None,
    ) -> None:
        self._idle_timeout = idle_timeout
        self._comment_after = comment_after
        self._data_after = data_after
        self.heard_at = self.sent_at = self._data_sent_at = now

    def heard(self, now: float) -> None:
        """Upstream has sent something."""
        self.heard_at = now

    def sent(self, now: float, *, data: bool) -> None:
        """The client has been sent something, data or only a comment."""
        self.sent_at = now
        if data:
            self._data_sent_at = now

    def passed(self, now: float, *, data: bool) -> None:
        """What upstream has sent went to the client at once."""
        self.heard_at = self.sent_at = now
        if data:
            self._data_sent_at = now

    def patience(self, now: float) -> float:
        """Seconds until something has to be done."""
        ends = [self.heard_at + self._idle_timeout]
        if self._comment_after is not None:
            ends.append(self.sent_at + self._comment_after)
        if self._data_after is not None:
            ends.append(self._data_sent_at + self._data_after)
        return max(0.0, min(ends) - now)

    def is_too_long(self, now: float) -> bool:
        return now >= self.heard_at + self._idle_timeout

    def due(self, now: float) -> Literal["data", "comment"] | None:
        """What the client is to be sent now."""
        if self._data_after is not None and (
            now >= self._data_sent_at + self._data_after
        ):
            return "data"
        if self._comment_after is not None and (
            now >= self.sent_at + self._comment_after
        ):
            return "comment"
        return None
