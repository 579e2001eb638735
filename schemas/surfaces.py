"""The surfaces a request can come in by."""

from enum import StrEnum


class Surface(StrEnum):
    """Which rules a payload is under: the two APIs, each by HTTP and by socket."""

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


EVERYWHERE = frozenset(Surface)
# The surfaces whose clients are not Codex: what Codex always sends is filled in.
PUBLIC = frozenset({Surface.V1, Surface.V1_SOCKET, Surface.CHAT})
# Upstream answers HTTP requests with events only; on a socket there is no choice.
HTTP = frozenset({Surface.CODEX, Surface.V1, Surface.CHAT})
# Where chat-style `messages` may stand in for `input`. Chat completions have
# been mapped before the rules see them.
TAKES_MESSAGES = frozenset({Surface.CODEX_SOCKET, Surface.V1, Surface.V1_SOCKET})
