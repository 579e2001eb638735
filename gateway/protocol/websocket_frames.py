"""WebSocket frames (RFC 6455, section 5), as far as a relay needs them. Sans I/O.

A server's frames carry no mask, neither upstream's to us nor ours to the client: a
whole message passes as the bytes it came in.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from gateway.protocol.sse import event_type

Frame = str | bytes  # a client's whole message

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
MESSAGE_TOO_BIG = 1009  # section 7.4.1, as a close frame's status
TRY_AGAIN_LATER = 1013  # of IANA's registry for section 7.4
_CONTINUATION = 0x0
_FINAL = 0x80
# First bytes of frames that are a whole message.
_WHOLE = (_FINAL | TEXT, _FINAL | BINARY)
_LONGEST_CONTROL = 125  # section 5.5
CREATE = "response.create"  # the frame that is a turn
# Nothing but a turn is that large; only its loader looks before it parses.
LARGE_CHARACTERS = 256 * 1024
# What no reader, however lenient, takes for another type than it is.
_KIND = re.compile(r"[a-z0-9_-]{1,64}(?:\.[a-z0-9_-]{1,64}){0,8}", re.ASCII)


class ProtocolError(ValueError):
    """The peer does not keep to the protocol, or sends more than is taken."""


class Control(NamedTuple):
    opcode: int
    payload: bytes


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A whole message as a server sends it."""
    size = len(payload)
    if size < 126:
        return b"%c%c%b" % (_FINAL | opcode, size, payload)
    if size < 1 << 16:
        head = b"%c\x7e%b" % (_FINAL | opcode, size.to_bytes(2, "big"))
    else:
        head = b"%c\x7f%b" % (_FINAL | opcode, size.to_bytes(8, "big"))
    return head + payload


def payloads(run: bytes) -> Iterator[tuple[int, bytes]]:
    """(opcode, payload) of each message in a run of whole frames."""
    at = 0
    while at < len(run):
        start, end = _extent(run, at)
        yield run[at] & 0x0F, run[start:end]
        at = end


class FrameSplitter:
    """Bytes of a server in; runs of whole messages, framed as they came, out.

    Messages that come in several frames are put together into one. Control frames
    are left in `controls`, for whoever feeds to answer.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: bytes that one message may have."""
        self._limit = limit
        self._parts: list[bytes] = []  # reads of a frame that has not ended
        self._size = 0  # of the parts
        self._need = 2  # bytes until the parts are worth a look
        self._message: list[bytes] = []  # fragments of a message that has not ended
        self._message_size = 0
        self._opcode = TEXT
        self.controls: list[Control] = []
        self.error: ProtocolError | None = None  # nothing more comes after it

    def feed(self, data: bytes) -> bytes:
        """Whole messages, b"" when none has ended.

        Raises ProtocolError; messages that came before it are given first, and
        `error` tells.
        """
        if self.error is not None:
            raise self.error
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._need:
                return b""
            data = b"".join(self._parts)
            self._parts.clear()
        elif len(data) < 2:
            self._keep(data, 2)
            return b""
        runs: list[bytes] = []
        try:
            return self._split(data, runs)
        except ProtocolError as error:
            self.error = error
            if before := b"".join(runs):
                return before
            raise

    def _split(self, data: bytes, runs: list[bytes]) -> bytes:
        """The run of `data`; in `runs` what there is of it when this raises."""
        at = begin = 0
        while at + 2 <= len(data):
            start, end = self._bounded(data, at, begin, runs)
            if end > len(data):
                break
            if data[at] not in _WHOLE or self._message:
                runs.append(data[begin:at])
                begin = end
                runs.append(self._other(data[at], data[start:end]))
            at = end
        if at < len(data):
            self._keep(data[at:], _extent(data, at)[1] - at)
        if not runs:
            return data if at == len(data) else data[:at]
        runs.append(data[begin:at])
        return b"".join(runs)

    def _bounded(
        self, data: bytes, at: int, begin: int, runs: list[bytes]
    ) -> tuple[int, int]:
        try:
            start, end = _extent(data, at)
            if end - start > self._limit:
                raise ProtocolError("a frame is larger than the gateway takes")
        except ProtocolError:
            runs.append(data[begin:at])
            raise
        return start, end

    def _keep(self, rest: bytes, need: int) -> None:
        self._parts.append(rest)
        self._size, self._need = len(rest), need

    def _other(self, first: int, payload: bytes) -> bytes:
        """A control frame, or a fragment; what the run gets of it."""
        opcode = first & 0x0F
        if first & 0x70 or opcode not in (
            _CONTINUATION,
            TEXT,
            BINARY,
            CLOSE,
            PING,
            PONG,
        ):
            raise ProtocolError("a frame of no known kind")
        if opcode >= CLOSE:
            if not first & _FINAL or len(payload) > _LONGEST_CONTROL:
                raise ProtocolError("a control frame in pieces")
            self.controls.append(Control(opcode, payload))
            return b""
        return self._fragment(opcode, payload, is_last=bool(first & _FINAL))

    def _fragment(self, opcode: int, payload: bytes, *, is_last: bool) -> bytes:
        if (opcode == _CONTINUATION) != bool(self._message):
            raise ProtocolError("a fragment out of its order")
        if opcode != _CONTINUATION:
            self._opcode, self._message_size = opcode, 0
        self._message.append(payload)
        self._message_size += len(payload)
        if self._message_size > self._limit:
            raise ProtocolError("a message is larger than the gateway takes")
        if not is_last:
            return b""
        whole = frame(b"".join(self._message), self._opcode)
        self._message.clear()
        return whole


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame at `at` starts and ends, seen or not.

    While the length itself is cut off, as far as it would reach at least.
    """
    if len(data) < at + 2:
        return at + 2, at + 2
    size = data[at + 1]
    if size & 0x80:
        raise ProtocolError("a server's frame with a mask")
    if size < 126:
        return at + 2, at + 2 + size
    start = at + (4 if size == 126 else 10)
    if len(data) < start:
        return start, start
    return start, start + int.from_bytes(data[at + 2 : start], "big")


def frame_kind(frame: Frame) -> str | None:
    """The type of a JSON object in a text frame; None for what is none.

    What upstream might take for a turn is one here, or refused: nobody else counts it.
    """
    if isinstance(frame, bytes):
        return None
    if len(frame) > LARGE_CHARACTERS or event_type(frame.encode()) == CREATE:
        return CREATE  # the loader parses the whole frame
    # Whole, too: a second "type" must not turn it into a turn.
    try:
        payload = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    kind = payload.get("type") if isinstance(payload, dict) else None
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return None
    # Readers that ignore case or end at NUL would see two types.
    read = [name.partition("\0")[0].strip().lower() for name in payload]
    return kind if read.count("type") == 1 else None
