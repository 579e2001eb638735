"""ClientView: what a client may see of the events that speak about the account."""

from dataclasses import dataclass

from gateway.protocol.event_kinds import kind_of_event
from gateway.protocol.headers import filter_event


@dataclass(slots=True)
class ClientView:
    """One client's view: no account's windows beside keys, no other model's name.

    The Codex client warns its user when `openai-model` differs from what it asked.
    """

    is_codex: bool
    requested_model: str | None
    keys_in_use: bool

    def visible(self, event_type: str, data: bytes) -> bytes | None:
        """The data the client gets of an event, `data` itself if all; None for none."""
        if not kind_of_event(event_type).is_filtered:
            return data
        return filter_event(
            event_type,
            data,
            requested_model=self.requested_model,
            keys_in_use=self.keys_in_use,
        )
