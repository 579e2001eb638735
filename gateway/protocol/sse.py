"""Server-sent events: a byte stream in, whole blocks or events out (WHATWG HTML 9.2).

A relay needs to know where blocks end and nothing else, so `split` makes no object
per event; only blocks that `is_notable` finds worth it are taken apart by `events`.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from gateway.protocol.event_kinds import notable_pattern
from gateway.protocol.lenient_json import load_object

DONE = "[DONE]"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LF, _CR = 10, 13
# A line ends with LF, CR or CRLF and a block with an empty line. CR LF is one line
# end, so what is left are these pairs, and a LF behind a final CR belongs to it.
_BLOCK_END = re.compile(rb"\n\n|[\r\n]\r\n?")
_EMPTY_LINE = re.compile(rb"\r\n?|\n")
# The form nearly every event has; `data_of` knows the others. For blocks without CR.
_PLAIN_BLOCK = re.compile(rb"(?:event:[^\n]*+\n)?data: ?([^\n]*+)\n\n")
_DATA_LINE = re.compile(rb"[\r\n]data(?:: ?([^\r\n]*+))?(?![^\r\n])")
MAX_EVENT_BYTES = 16 * 1024 * 1024  # over either transport; pictures are the largest
# Taking lines apart costs 0.7 µs each; real events have one or two with data.
_MAX_LINES = 100_000
# `"type"` at the top level when only plain values stand before it. Possessive, thus
# linear. A backslash anywhere ends the match: only a parser knows what it spells.
_TYPE = re.compile(
    rb'[ \t\r\n]*+\{[ \t\r\n]*+(?:(?!"type")"[^"\\]*+"[ \t\r\n]*+:[ \t\r\n]*+'
    rb'(?:"[^"\\]*+"|[-+.0-9eE]++|true|false|null)[ \t\r\n]*+,[ \t\r\n]*+){0,64}'
    rb'"type"[ \t\r\n]*+:[ \t\r\n]*+"([^"\\]*+)"'
)
# Without escapes the name stands in the bytes as it is, whatever the spacing.
_NOTABLE = notable_pattern()
# Otherwise it is spelt with the code of a letter, a dot or an underscore. The codes
# of <, >, & and ' are not looked for: some encoders escape those in every text.
_ESCAPED_NAME = re.compile(rb"\\u00(?:2[eE]|[4-7])")


class EventTooLarge(ValueError):
    """Upstream sends an event that never ends."""


class Event(NamedTuple):
    """One block: its JSON "type" ("" when unknown), joined data, and exact bytes."""

    type: str
    data: bytes
    raw: bytes


class EventScanner:
    """Splits a byte stream into whole blocks, whatever its chunks are.

    What was given out and `rest` together are what came in. `max_event_bytes`
    bounds the unfinished block; work is linear in the bytes that came in.
    """

    __slots__ = ("_max_event_bytes", "_tail")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._tail = bytearray()

    @property
    def rest(self) -> bytes:
        """The unfinished block."""
        return bytes(self._tail)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes; raises EventTooLarge."""
        return events(self.split(chunk))

    def split(self, chunk: bytes) -> bytes:
        """All blocks that `chunk` completes, in one piece; raises EventTooLarge.

        Raises only when it has nothing to give, so no whole block is ever lost.
        """
        tail = self._tail
        if not tail:
            end = _last_end(chunk, 0)
            if end == len(chunk):
                return chunk
            whole = chunk[:end]
            tail += chunk[end:]
        else:
            # Two bytes back: they may be a line end and a CR that waits for its LF.
            start = max(0, len(tail) - 2)
            tail += chunk
            end = _last_end(tail, start)
            whole = bytes(tail[:end])
            del tail[:end]
        if not end and len(tail) > self._max_event_bytes:
            raise EventTooLarge(f"event of more than {self._max_event_bytes} bytes")
        return whole

    def end(self) -> bytes:
        """The block that waited for the LF of its final CR: the stream has ended."""
        tail = self._tail
        if not tail.endswith((b"\n\r", b"\r\r")) and tail != b"\r":
            return b""
        self._tail = bytearray()
        return bytes(tail)


def _last_end(buffer: bytes | bytearray, start: int) -> int:
    """Where the last whole block ends, at or after `start`; 0 when none does.

    `buffer` begins with a block. A CR as the last byte decides nothing yet.
    """
    found = buffer.rfind(b"\n\n", start)
    end = found + 2 if found >= 0 else 0
    if buffer.find(b"\r", start) >= 0:
        last = len(buffer) - 1
        for pair in (b"\n\r", b"\r\r"):
            found = buffer.rfind(pair, start, last)
            if found >= 0:
                end = max(end, found + (3 if buffer[found + 2] == _LF else 2))
    if end or not buffer:
        return end
    if buffer[0] == _LF:
        return 1
    if buffer[0] == _CR and len(buffer) > 1:
        return 2 if buffer[1] == _LF else 1
    return 0


def events(block: bytes) -> list[Event]:
    """The events of whole blocks; an unfinished one at the end counts as whole."""
    return list(iter_events(block))


def iter_events(block: bytes) -> Iterator[Event]:
    """The same one by one, for who may not need them all."""
    has_cr = b"\r" in block
    start = 0
    while start < len(block):
        end = _first_end(block, start, has_cr)
        yield _event(block[start:end], has_cr)
        start = end


def parts(block: bytes) -> Iterator[bytes | Event]:
    """Whole blocks, taken apart only where it may matter: see `is_notable`.

    Runs of events that do not matter come as they are, the others as events.
    """
    if b"\r" in block or _has_escaped_name(block):
        yield from iter_events(block)
        return
    start = 0
    while match := _NOTABLE.search(block, start):
        begin = block.rfind(b"\n\n", start, match.start()) + 2
        begin = max(begin, start) if begin > 1 else start
        end = _first_end(block, begin, False)
        if begin > start:
            yield block[start:begin]
        yield _event(block[begin:end], False)
        start = end
    if start < len(block):
        yield block[start:]


def _event(raw: bytes, has_cr: bool) -> Event:
    if raw[0] in b"\r\n":
        return Event("", b"", raw)
    plain = None if has_cr else _PLAIN_BLOCK.fullmatch(raw)
    data = plain[1] if plain else data_of(raw)
    return Event(event_type(data), data, raw)


def _first_end(block: bytes, start: int, has_cr: bool) -> int:
    if block[start] in b"\r\n":
        match = _EMPTY_LINE.match(block, start)
    elif has_cr:
        match = _BLOCK_END.search(block, start)
    else:
        found = block.find(b"\n\n", start)
        return found + 2 if found >= 0 else len(block)
    return match.end() if match else len(block)


def data_of(raw: bytes) -> bytes:
    """The data lines of one block, joined by LF; none of a block of endless lines."""
    if raw.count(b"\n") + raw.count(b"\r") > _MAX_LINES:
        return b""
    return b"\n".join(_DATA_LINE.findall(b"\n" + raw.removeprefix(_BYTE_ORDER_MARK)))


def is_notable(block: bytes) -> bool:
    """Whether blocks may hold an event the accounting has to see.

    Those that `event_kinds` calls notable; never false when one is there, sometimes
    true when none is.
    """
    return _NOTABLE.search(block) is not None or _has_escaped_name(block)


def _has_escaped_name(block: bytes) -> bool:
    return b"\\" in block and _ESCAPED_NAME.search(block) is not None


def event_type(data: bytes) -> str:
    """The top-level "type" of an event's JSON, "[DONE]" for that, "" when unknown.

    Some upstreams send an error as the body of an answer would have it, without a
    type: that is an "error" as well.
    """
    if not data:
        return ""
    match = _TYPE.match(data)
    if match:
        return match[1].decode("utf-8", "replace")
    if data.strip() == b"[DONE]":
        return DONE
    event = load_object(data)
    named = event.get("type")
    if isinstance(named, str):
        return named
    return "error" if is_error_body(event) else ""


def is_error_body(value: dict[str, Any]) -> bool:
    """Whether a JSON object is an error, in one of the shapes that servers use."""
    told = value.get("error") or value.get("detail")
    return (isinstance(told, dict | list | str) and bool(told)) or (
        value.get("object") == "error"
    )
