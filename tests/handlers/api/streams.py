"""An event stream of upstream."""

from gateway.demo.events import ScriptedTurn

TURN = ScriptedTurn().text("one two three").completed()
