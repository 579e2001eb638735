"""The refresh tokens of a device: which is good, and what a use of it means.

Pure. Each use of the current token makes its successor the current one. The one before
stays good until its successor, or an access token issued with that, was first used, and
a little beyond: an answer that was lost on its way is given again. What is used later
was copied.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

# Requests under way when the successor is used.
GRACE_SECONDS = 30.0
# A client refreshes every ten minutes; who does it more often loses the oldest.
MOST_SPENT = 20


class Verdict(StrEnum):
    ROTATE = "rotate"  # its successor is the current one from now on
    REPEAT = "repeat"  # answered before: the same successor again
    REUSE = "reuse"  # it was copied: the device ends


@dataclass(frozen=True, slots=True)
class SpentToken:
    """A token that was used and may be good still; None: until its successor is used"""

    digest: str
    good_until: float | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Of one device; `generation` numbers the current token."""

    current: str  # digest, as of the others
    generation: int = 0
    spent: tuple[SpentToken, ...] = ()  # the latest last


def judge(chain: Chain, presented: str, now: float) -> tuple[Verdict, int]:
    """What the use of a token of this device means, and its successor's generation."""
    if presented == chain.current:
        return Verdict.ROTATE, chain.generation + 1
    for back, spent in enumerate(reversed(chain.spent)):
        if spent.digest == presented:
            if spent.good_until is None or now < spent.good_until:
                return Verdict.REPEAT, chain.generation - back
            break
    return Verdict.REUSE, 0


def rotated(chain: Chain, successor: str, now: float) -> Chain:
    """After the current token was used; that uses what it succeeded, too."""
    used = note_used(chain, chain.generation, now)
    good = [one for one in used.spent if one.good_until is None or now < one.good_until]
    spent = (*good, SpentToken(chain.current))[-MOST_SPENT:]
    return Chain(successor, chain.generation + 1, spent)


def note_used(chain: Chain, generation: int, now: float) -> Chain:
    """After the token of a generation, or an access token issued with it, was used."""
    if generation != chain.generation or not chain.spent:
        return chain  # of an earlier one it is known
    last = chain.spent[-1]
    if last.good_until is not None:
        return chain
    ended = replace(last, good_until=now + GRACE_SECONDS)
    return replace(chain, spent=(*chain.spent[:-1], ended))
