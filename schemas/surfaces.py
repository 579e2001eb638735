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

    is_socket: bool
    is_codex: bool
    api: Literal["codex", "v1", "chat"]  # whatever the transport
    # Whether chat-style `messages` may replace `input`; chat completions are converted
    # before the rules apply.
    takes_messages: bool

    def __init__(self, name: str) -> None:
        """Told once of each: a turn asks a dozen times."""
        self.is_socket = name.endswith("_socket")
        self.is_codex = name.startswith("codex")
        self.api = "chat" if name == "chat" else "codex" if self.is_codex else "v1"
        self.takes_messages = name not in ("codex", "chat")
