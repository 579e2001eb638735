"""What upstream answers to the hostile key, by what its prompt asks for.

It is written once, for both transports: the one process that plays all of upstream
has to answer the others meanwhile.
"""

import json

from gateway.demo.answers import ScriptedResponse, sse
from gateway.demo.events import ScriptedTurn
from gateway.demo.scenarios import last_user_text

FLOOD, WHOLE = "siege: flood", "siege: whole"
_PADDING = {"type": "codex.padding", "padding": "x" * 100_000}
_TURN = ScriptedTurn().text("x" * 500_000).completed()
# A hundred megabytes that begin no answer.
_FLOOD = [_TURN.events[0], *[_PADDING] * 1000]


def _written(events, write):
    texts = {id(event): write(event) for event in events}
    return ScriptedResponse.of(texts[id(event)] for event in events)


ANSWERS = {
    "http": {FLOOD: _written(_FLOOD, sse), WHOLE: _written(_TURN.events, sse)},
    "websocket": {FLOOD: _written(_FLOOD, lambda event: json.dumps(event).encode())},
}


def install(upstream):
    """Who asks for neither is served as usual."""

    def answer(received):
        return ANSWERS[received.transport].get(last_user_text(received.history))

    upstream.answer(answer, route="responses", times=None)
