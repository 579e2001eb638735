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
    is_sole: bool = False  # nothing of it runs, and all that is left is here
    asked_at: float = math.inf  # by time.monotonic(): somebody elsewhere waits since

    def covers(self, amount: int, began: float) -> bool:
        """Whether so much is granted, to who has waited since then.

        Nobody here overtakes who has waited longer elsewhere.
        """
        return amount <= self.granted and began <= self.asked_at


NOTHING_GRANTED = Share()
# Who has not waited yet has waited less than anybody.
JUST_NOW = math.inf
