"""ClientView: what a client may see of the events that speak about the account."""

from dataclasses import dataclass

from gateway.protocol.event_kinds import kind_of_event
from gateway.protocol.failures import event_without_identity
from gateway.protocol.headers import filter_event


@dataclass(slots=True)
class ClientView:
    """One client's view: beside keys no account's windows and names, no other model's.

    The Codex client warns its user when `openai-model` differs from what it asked.
    """

    is_codex: bool
    requested_model: str | None
    keys_in_use: bool

    def visible(self, event_type: str, data: bytes) -> bytes | None:
        """The data the client gets of an event, `data` itself if all; None for none."""
        kind = kind_of_event(event_type)
        if not kind.is_filtered:
            return data
        if kind.ends_as:
            hides = self.keys_in_use
            return event_without_identity(event_type, data) if hides else data
        return filter_event(
            event_type,
            data,
            requested_model=self.requested_model,
            keys_in_use=self.keys_in_use,
        )
