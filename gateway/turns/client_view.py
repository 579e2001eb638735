"""What a client may see of the few events that speak about the account."""

from dataclasses import dataclass

from gateway.protocol.headers import filter_event
from gateway.protocol.sse import Event

# All other events pass as they came.
FILTERED = frozenset({"response.metadata", "codex.rate_limits"})


@dataclass(slots=True)
class ClientView:
    """One client's view: no account's windows beside keys, no other model's name.

    The Codex client warns its user when `openai-model` differs from what it asked.
    """

    is_codex: bool
    requested_model: str | None
    keys_in_use: bool

    def of_event(self, event: Event) -> bytes | None:
        """The bytes the client gets of an SSE event, None for none."""
        if event.type not in FILTERED:
            return event.raw
        data = self._filtered(event.type, event.data)
        if data is None or data == event.data:
            return data and event.raw
        return b"event: " + event.type.encode() + b"\ndata: " + data + b"\n\n"

    def of_payload(self, kind: str, payload: bytes) -> bytes | None:
        """The message the client gets on a socket, None for none."""
        if kind not in FILTERED:
            return payload
        return self._filtered(kind, payload)

    def _filtered(self, kind: str, data: bytes) -> bytes | None:
        return filter_event(
            kind,
            data,
            requested_model=self.requested_model,
            keys_in_use=self.keys_in_use,
        )
