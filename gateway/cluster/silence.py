"""Silence: which members are dead, by what this one has seen of them itself."""

from collections.abc import Mapping
from typing import NamedTuple

# Seconds. A member beats so often; it spends what it was granted for so long after
# it sent its last beat that was written; and after so long without a new one
# the others take over. All by clocks that count sleep, each member's by its own:
# between the last two lies what a beat takes to be written and seen.
BEAT_SECONDS = 2.0
SPEND_SECONDS = 15.0
DEATH_SECONDS = 25.0
# Who did not look for longer has not seen the silence of others in between.
MOST_BETWEEN_LOOKS = 3 * BEAT_SECONDS


class _Seen(NamedTuple):
    beat: int
    at: float  # when it was seen first, or looking began again


class MemberSilence:
    """What was seen of the others' beats."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._looked_at = float("-inf")

    def look(self, beats: Mapping[int, int], now: float) -> frozenset[int]:
        """Note each member's beat; those whose silence has lasted too long."""
        was_away = now - self._looked_at > MOST_BETWEEN_LOOKS
        self._looked_at = now
        self._seen = {
            id: seen
            if not was_away and (seen := self._seen.get(id)) and seen.beat == beat
            else _Seen(beat, now)
            for id, beat in beats.items()
        }
        return frozenset(
            id for id, seen in self._seen.items() if now - seen.at >= DEATH_SECONDS
        )
