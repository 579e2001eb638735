"""What the scripted upstream sends: one description for both transports."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

JsonObject = dict[str, Any]


class Cut(Enum):
    """How a connection ends before its answer is whole."""

    RESET = "reset"  # RST: the peer's read fails
    EOF = "eof"  # FIN without the final chunk, or a socket gone without a close frame


@dataclass(frozen=True, slots=True)
class Close:
    """Close a WebSocket with this code; over HTTP the connection ends (EOF)."""

    code: int = 1011


# One thing to do: a dict is an event (an SSE block or one text frame), bytes go out
# as they are (one frame on a socket), a number is a pause in seconds, an
# asyncio.Event holds the answer until a test sets it.
Step = JsonObject | bytes | float | asyncio.Event | Cut | Close


@dataclass(frozen=True, slots=True)
class ScriptedResponse:
    """One answer. A status of 400 or more becomes an error frame on a socket."""

    steps: tuple[Step, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)  # added to the usual ones
    before: tuple[Step, ...] = ()  # done before the status line leaves
    bare: bool = False  # steps' bytes are the whole HTTP answer, status line included

    @classmethod
    def of(cls, steps: Iterable[Step], **fields: Any) -> "ScriptedResponse":
        return cls(tuple(steps), **fields)

    @classmethod
    def json(
        cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "ScriptedResponse":
        body = json.dumps(value).encode()
        return cls(
            (body,),
            status,
            {
                "content-type": "application/json",
                "content-length": str(len(body)),
                **(headers or {}),
            },
        )

    def with_headers(self, headers: Mapping[str, str]) -> "ScriptedResponse":
        return replace(self, headers={**self.headers, **headers})

    def after(self, *steps: Step) -> "ScriptedResponse":
        """The same answer, these steps done before its first byte."""
        return replace(self, before=(*steps, *self.before))

    def error(self) -> JsonObject:
        """The error object of an answer that refuses, for an error frame."""
        for step in self.steps:
            if isinstance(step, bytes):
                try:
                    body = json.loads(step)
                except ValueError:
                    break
                if isinstance(body, dict):
                    error = body.get("error", body)
                    return error if isinstance(error, dict) else {"message": error}
        return {"message": f"status {self.status}"}


def sse(event: Mapping[str, Any]) -> bytes:
    """One event as upstream writes it: event line, data line, blank line."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


Plan = (
    ScriptedResponse | Callable[[Any], ScriptedResponse]
)  # a callable gets the Received
