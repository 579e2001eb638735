"""What a turn on a WebSocket looks like."""

from gateway.demo.events import ScriptedTurn

TURN = ScriptedTurn().text("one two three").completed()
