"""What upstream answers to the hostile key, by what its prompt asks for."""

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.demo.scenarios import last_user_text

FLOOD, WHOLE = "siege: flood", "siege: whole"
_PADDING = {"type": "codex.padding", "padding": "x" * 100_000}
_TURN = ScriptedTurn().text("x" * 500_000).completed()
ANSWERS = {
    # A hundred megabytes that begin no answer.
    FLOOD: ScriptedResponse.of([_TURN.events[0], *[_PADDING] * 1000]),
    WHOLE: ScriptedResponse.of(_TURN.events),
}


def install(upstream):
    """Who asks for neither is served as usual."""

    def answer(received):
        return ANSWERS.get(last_user_text(received.history))

    upstream.answer(answer, route="responses", times=None)
