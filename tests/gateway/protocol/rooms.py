"""Memory for answers that are folded."""

from gateway.admission.body_budget import BodyBudget
from gateway.admission.whole_answer import WholeAnswer
from gateway.keys.key import Key


def unbounded(size: int) -> None:
    """As much as an answer may want."""


def room_for(size: int) -> WholeAnswer:
    """What may have so many bytes."""
    return WholeAnswer(BodyBudget(2 * size), Key(1, "", "", "", 0), "")
