"""Which version of the Codex client is believed to be in use here. Pure.

Upstream leaves models out of its catalogue that are too new for the client that asks,
so the gateway asks as the newest one that it has good reason to believe in.
"""

import re
from functools import lru_cache
from typing import NamedTuple


class ClientVersion(NamedTuple):
    """A release of the Codex client."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


# The newest client that this release was tried with.
NEWEST_KNOWN = ClientVersion(0, 171, 0)
# A client that claims more may be anything; Codex brings out about one a week.
MOST_MINOR_AHEAD = 30
# The names under which Codex's own programs go, and three numbers, no pre-release.
_CODEX_AGENT = re.compile(
    r"(?:codex_exec|codex-tui|codex_cli_rs|codex_vscode)"
    r"/(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?: |$)"
)


@lru_cache(maxsize=32)  # every turn asks, and few clients are in use
def believed_version(user_agent: str) -> ClientVersion | None:
    """The version in the user-agent of a Codex client; None unless it is credible."""
    match = _CODEX_AGENT.match(user_agent)
    if match is None:
        return None
    version = ClientVersion(*map(int, match.groups()))
    is_near = version.major == NEWEST_KNOWN.major and (
        version.minor <= NEWEST_KNOWN.minor + MOST_MINOR_AHEAD
    )
    return version if is_near else None
