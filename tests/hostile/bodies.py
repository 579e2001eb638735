"""Bodies that are not finished, hardly come, or become huge."""

import gzip
from typing import NamedTuple

import zstandard

from tests.hostile.bytes_of import CHUNKED, TURN, length, send

MEBIBYTE = 1 << 20
MCP = "POST /backend-api/ps/mcp HTTP/1.1"
_CHUNK = b"%x\r\n%b\r\n" % (MEBIBYTE, b" " * MEBIBYTE)


class Body(NamedTuple):
    """A request, and what may be answered to it before its connection ends."""

    sent: bytes
    statuses: set[int]


def unfinished(line: str, size: int, *lines: str) -> bytes:
    """A request of which all but the last byte is sent."""
    return send(line, *lines, f"Content-Length: {size + 1}", body=b" " * size)


def packed(encoding: str, body: bytes, *lines: str) -> bytes:
    return send(TURN, *lines, f"Content-Encoding: {encoding}", length(body), body=body)


def of_strangers() -> dict[str, Body]:
    wrong = "X-Api-Key: sk-cgw-wrong"
    return {
        "strangers' side calls": Body(unfinished(MCP, 60_000), set()),
        "strangers' turns": Body(unfinished(TURN, MEBIBYTE), {401}),
        "wrong keys, in chunks": Body(
            send(TURN, CHUNKED, wrong, body=_CHUNK * 3), {401, 429}
        ),
    }


def of_key(key: str) -> dict[str, Body]:
    with_key = f"X-Api-Key: {key}"
    return {
        "a key's unfinished bodies": Body(unfinished(TURN, MEBIBYTE, with_key), {503}),
        "a key's bodies without an end": Body(
            send(TURN, CHUNKED, with_key, body=_CHUNK * 8), {503}
        ),
    }


def bombs(key: str) -> dict[str, Body]:
    """Each becomes 120 MiB, or is made of 20,000 members."""
    with_key = f"X-Api-Key: {key}"
    zeros = zstandard.compress(b"\0" * 120 * MEBIBYTE)
    assert len(zeros) < 5000
    members = gzip.compress(b"\0" * 4 * MEBIBYTE) * 30
    empty = gzip.compress(b"")
    none = empty * (400_000 // len(empty))
    return {
        "zstd bombs": Body(packed("zstd", zeros, with_key), {413, 503}),
        "gzip bombs": Body(packed("gzip", members, with_key), {413, 503}),
        "a body of empty members": Body(
            packed("gzip", none, with_key), {400, 413, 503}
        ),
    }
