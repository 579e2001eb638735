"""Surface: the API and the transport by which a request came in."""

from enum import StrEnum
from typing import Literal


class Surface(StrEnum):
    """Selects the rules for a payload: the two APIs, each over HTTP and WebSocket."""

    CODEX = "codex"
    CODEX_SOCKET = "codex_socket"
    V1 = "v1"
    V1_SOCKET = "v1_socket"
    CHAT = "chat"

    @property
    def is_socket(self) -> bool:
        return self in (Surface.CODEX_SOCKET, Surface.V1_SOCKET)

    @property
    def is_codex(self) -> bool:
        return self in (Surface.CODEX, Surface.CODEX_SOCKET)

    @property
    def api(self) -> Literal["codex", "v1", "chat"]:
        """The API, whatever the transport."""
        if self is Surface.CHAT:
            return "chat"
        return "codex" if self.is_codex else "v1"

    @property
    def takes_messages(self) -> bool:
        """Whether chat-style `messages` may replace `input`.

        Chat completions are converted before the rules apply.
        """
        return self not in (Surface.CODEX, Surface.CHAT)
