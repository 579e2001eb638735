"""Keys of the doctor: they live in memory, for minutes, and leave no row behind."""

import itertools

from gateway.keys.key import Key, digest, generate, prefix

LIFETIME = 600.0  # seconds; the long silence and a slow turn fit in
MOST_VISITORS = 64


class Visitors:
    """The visitors' keys. Making one means nothing for who may come in without."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}  # by digest, the oldest first
        # Below those of stored keys, so that nothing is ever counted as one's.
        self._ids = itertools.count(-1, -1)

    def admit(self, account: int | None, now: float) -> str:
        """A new visitor's token; it leads to that account only, None: to any."""
        token = generate()
        self._keys[digest(token)] = Key(
            next(self._ids),
            "doctor",
            prefix(token),
            digest(token),
            int(now),
            expires_at=now + LIFETIME,
            accounts=None if account is None else frozenset({account}),
        )
        while len(self._keys) > MOST_VISITORS:
            del self._keys[next(iter(self._keys))]
        return token

    def find(self, token: str | None, now: float) -> Key | None:
        """The key of a visitor who is still here."""
        if not (self._keys and token and token.isascii()):
            return None
        key = self._keys.get(digest(token))
        if key is None or not key.is_expired(now):
            return key
        del self._keys[key.digest]
        return None
