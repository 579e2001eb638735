"""Memory for answers that are folded."""

from gateway.admission.body_budget import BodyBudget, Sender
from gateway.admission.whole_answer import WholeAnswer


def unbounded(size: int) -> None:
    """As much as an answer may want."""


def room_for(size: int) -> WholeAnswer:
    """What may have so many bytes."""
    return WholeAnswer(BodyBudget(2 * size), Sender("key 1", has_key=True))
