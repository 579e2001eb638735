"""Answers that break off, lie or flood: more of gateway/demo/faults.py."""

import zlib

from gateway.demo.answers import Cut, JsonObject, ScriptedResponse, Step, sse
from gateway.demo.events import ScriptedTurn
from gateway.demo.faults import error_response


def rate_limited(seconds: float = 1.5) -> ScriptedResponse:
    """429 whose only hint at a time is its text."""
    return error_response(
        429,
        "rate_limit_exceeded",
        f"Rate limit reached. Please try again in {seconds}s.",
    )


def failed_first(
    code: str = "server_error", message: str = "It failed."
) -> ScriptedResponse:
    """Status 200, then `response.failed` before any output."""
    return ScriptedTurn().failed(code, message).answer()


def reset_before_headers() -> ScriptedResponse:
    return ScriptedResponse(before=(Cut.RESET,))


def reset_after_headers() -> ScriptedResponse:
    return ScriptedResponse((Cut.RESET,))


def cut_mid_event(
    answer: ScriptedResponse, events: int, how: Cut = Cut.EOF
) -> ScriptedResponse:
    """The first so many events and half of the next one (HTTP)."""
    following = answer.steps[events]
    block = following if isinstance(following, bytes) else sse(_event(following))
    return ScriptedResponse(
        (*answer.steps[:events], block[: len(block) // 2], how), headers=answer.headers
    )


def dripped(
    answer: ScriptedResponse, size: int = 1, seconds: float = 0.0
) -> ScriptedResponse:
    """The same bytes in pieces of this size (HTTP)."""
    whole = as_bytes(answer)
    steps: list[Step] = []
    for start in range(0, len(whole), size):
        steps += [whole[start : start + size], seconds]
    return ScriptedResponse.of(steps, headers=answer.headers)


def oversized(size: int, piece: int = 1 << 20) -> ScriptedResponse:
    """One event without an end: so many bytes and no line break."""
    pieces = [b"x" * min(piece, size - start) for start in range(0, size, piece)]
    return ScriptedResponse.of(
        [b'data: {"type":"response.output_text.delta","delta":"', *pieces]
    )


def gzipped(answer: ScriptedResponse) -> ScriptedResponse:
    """Compressed although nobody asked for it."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    body = packer.compress(as_bytes(answer)) + packer.flush()
    return ScriptedResponse(
        (body,), headers={**answer.headers, "content-encoding": "gzip"}
    )


def wrong_content_type(
    body: bytes = b"<html>Just a moment...</html>",
) -> ScriptedResponse:
    return ScriptedResponse(
        (body,), headers={"content-type": "text/html; charset=utf-8"}
    )


def two_terminals() -> ScriptedResponse:
    turn = ScriptedTurn().text("once").completed()
    return turn.failed("server_error", "after the end").answer()


def without_terminal() -> ScriptedResponse:
    """The stream ends as if it were whole."""
    return ScriptedTurn().text("and then").answer()


def short_body() -> ScriptedResponse:
    """Content-Length promises more than what comes."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    head += b"content-length: 100000\r\n\r\n"
    return ScriptedResponse(
        (head, as_bytes(ScriptedTurn().answer()), Cut.EOF), bare=True
    )


def bad_chunking() -> ScriptedResponse:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    head += b"transfer-encoding: chunked\r\n\r\n"
    return ScriptedResponse((head, b"zz\r\nnot a chunk\r\n", Cut.EOF), bare=True)


def as_bytes(answer: ScriptedResponse) -> bytes:
    """The whole SSE body of an answer, pauses left out."""
    return b"".join(
        step if isinstance(step, bytes) else sse(step)
        for step in answer.steps
        if isinstance(step, bytes | dict)
    )


def _event(step: Step) -> JsonObject:
    if not isinstance(step, dict):
        raise TypeError(f"step {step!r} is no event")
    return step
