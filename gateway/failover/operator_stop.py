"""An operator's stop of a running turn: a cancellation that the turn turns into words.

Before the commit point they are an error's, inside an answer an event's, on every
transport: upon a close, and upon most other codes, Codex would send the turn again.
"""

import asyncio

from gateway.errors import GatewayError
from gateway.protocol.facts import Failure, LoggedError

_WORDS = "The turn was stopped by the operator"


class StoppedByOperator(GatewayError):
    status = 400
    code = "stopped_by_operator"
    type = "invalid_request_error"
    message = _WORDS


STOPPED = Failure(
    phase="stream",
    origin="gateway",
    message=_WORDS,
    code="invalid_prompt",  # Codex shows the words and does not repeat the turn
    type="invalid_request_error",
    redacted=LoggedError(StoppedByOperator.code, None, None, _WORDS),
)


def taken_back() -> bool:
    """Whether a stopped turn's task goes on, after the cancellation that stopped it.

    It does not when somebody else cancelled it as well: the client has left.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() == 1 and task.uncancel() == 0
