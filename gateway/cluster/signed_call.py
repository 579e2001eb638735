"""Signed calls: what one member asks of another, proved by the token that all share.

The key is derived from the admin token, which is never sent. A signature is good for
one method, path and receiver, and for a minute: clocks of machines differ a little.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

from gateway.secret import Secret

GOOD_SECONDS = 60
_PURPOSE = b"codex-gateway calls between members, 1"
_SENDER, _RECEIVER, _TIME, _SIGNATURE = (
    f"x-member-{name}" for name in ("sender", "receiver", "time", "signature")
)


class MemberCall(NamedTuple):
    """A request without a body; `path` with its query, as it is sent."""

    method: str
    path: str
    sender: int
    receiver: int
    at: int  # unix seconds

    def headers(self, token: Secret) -> dict[str, str]:
        return {
            _SENDER: str(self.sender),
            _RECEIVER: str(self.receiver),
            _TIME: str(self.at),
            _SIGNATURE: self._signature(token),
        }

    def _signature(self, token: Secret) -> str:
        key = hmac.digest(token.reveal().encode(), _PURPOSE, hashlib.sha256)
        said = "\n".join(map(str, self)).encode()
        return hmac.digest(key, said, hashlib.sha256).hex()

    @classmethod
    def read(
        cls, method: str, path: str, headers: Mapping[str, str]
    ) -> "MemberCall | None":
        """What the headers of a request say, proved or not."""
        numbers = [headers.get(name, "") for name in (_SENDER, _RECEIVER, _TIME)]
        if not all(one.isascii() and one.isdecimal() for one in numbers):
            return None
        if any(len(one) > 15 for one in numbers):
            return None
        return cls(method, path, *map(int, numbers))

    def is_genuine(
        self, headers: Mapping[str, str], token: Secret, receiver: int, now: float
    ) -> bool:
        """Whether a member sent it, lately, and to this one."""
        presented = headers.get(_SIGNATURE, "").encode("utf-8", "surrogateescape")
        is_signed = hmac.compare_digest(presented, self._signature(token).encode())
        is_recent = abs(now - self.at) <= GOOD_SECONDS
        return is_signed and is_recent and self.receiver == receiver and bool(receiver)
