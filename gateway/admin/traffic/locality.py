"""Whether conversations stay on their accounts, as they did the day before. Pure."""

from typing import Literal, NamedTuple

# Fewer turns than these say nothing.
FEWEST_TURNS = 20
# So much of the turns has to move, and so many times as much as the day before.
_MOVED_SHARE, _MOVED_TIMES = 0.1, 3
# So much of the input was read from a cache the day before, and what is left of it.
_CACHED_SHARE, _CACHED_LEFT = 0.2, 0.7

Alarm = Literal["moved", "uncached"]


class Locality(NamedTuple):
    """Turns of some time that were answered, and what they read."""

    well: int
    switches: int
    input_tokens: int
    cached_tokens: int

    @property
    def moved(self) -> float:
        """The share of turns that another account answered than the one before."""
        return self.switches / self.well if self.well else 0.0

    @property
    def cached(self) -> float:
        """The share of input that upstream had read already."""
        return self.cached_tokens / self.input_tokens if self.input_tokens else 0.0


def locality_alarm(hour: Locality, day_before: Locality) -> Alarm | None:
    """What has become worse within the hour; None where nothing has."""
    if min(hour.well, day_before.well) < FEWEST_TURNS:
        return None
    if hour.moved >= max(_MOVED_SHARE, _MOVED_TIMES * day_before.moved):
        return "moved"
    has_cached = day_before.cached >= _CACHED_SHARE
    if has_cached and hour.cached < _CACHED_LEFT * day_before.cached:
        return "uncached"
    return None
