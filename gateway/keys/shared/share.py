"""Share: what a process has of something scarce that several grant each other."""

import math
from typing import NamedTuple


class Resource(NamedTuple):
    """A limit in one window, or a level: a key's rate or turns, an account's turns."""

    name: str
    window: int = 0  # unix seconds at which it began; 0: a level, which has none


class Holding(NamedTuple):
    """What a process has in hand of a resource, and what it lacks."""

    resource: Resource
    maximum: int
    used: int
    held: int  # by what runs
    want: int = 0  # beyond these, for who has waited longest here
    began: float = math.inf  # to wait, by time.monotonic()
    is_frozen: bool = False  # nothing more is admitted here until the answer


class Share(NamedTuple):
    """What was granted to a process, and how the others stood then."""

    granted: int = 0  # what is used and held here included
    used: int = 0  # elsewhere, ever in this window
    lost: int = 0  # held by processes that have ended, so perhaps used
    held: int = 0  # elsewhere
    idle: int = 0  # granted elsewhere, and neither used nor held
    missing: int = 0  # of what was wanted
    is_old: bool = False  # what is held elsewhere was written before that was wanted
    is_sole: bool = False  # nothing of it runs, and all that is left is here
    asked_at: float = math.inf  # by time.monotonic(): somebody elsewhere waits since

    @property
    def is_all_held(self) -> bool:
        """Whether nothing of what was wanted is to be had, here or elsewhere."""
        return self.missing > 0 and not self.idle and not self.is_old

    def covers(self, amount: int, began: float) -> bool:
        """Whether so much is granted, to who has waited since then.

        Nobody here overtakes who has waited longer elsewhere.
        """
        return amount <= self.granted and began <= self.asked_at


class Want(NamedTuple):
    """So much more of a resource, for who has waited since then (loop time)."""

    want: int
    began: float


NOTHING_GRANTED = Share()
# Who has not waited yet has waited less than anybody.
JUST_NOW = math.inf
