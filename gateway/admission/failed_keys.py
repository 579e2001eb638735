"""Wrong keys, counted by who presents them."""

from collections import OrderedDict

# A person who mistypes or a client with a stale key stays below ten a minute.
FAILED_KEYS_PER_MINUTE = 10
# About 1 MB of memory; a flood from more addresses evicts the calmest ones.
_MOST_PEERS = 4096


class FailedKeys:
    """Wrong keys per peer: a bucket of ten that refills within a minute."""

    def __init__(self, per_minute: int = FAILED_KEYS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        # peer → (attempts left, when that was so), the calmest peer first
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, peer: str, now: float) -> float:
        """Count one wrong key; seconds the peer is to wait, 0 when it is in time."""
        left, since = self._left.pop(peer, (float(self._per_minute), now))
        rate = self._per_minute / 60
        left = min(self._per_minute, left + max(0.0, now - since) * rate)
        wait = 0.0 if left >= 1 else (1 - left) / rate
        self._left[peer] = (left if wait else left - 1, now)
        if len(self._left) > _MOST_PEERS:
            self._left.popitem(last=False)
        return wait
