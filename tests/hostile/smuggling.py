"""Requests that two servers might read differently, with one hidden inside.

Each row: what it is, what is answered behind nginx, what by the gateway itself, what
is sent. The answers are all there are on the connection. The follow-up's 200 comes
last; without it the connection was closed. "401 401 200" are two requests in a row,
each of which was refused in its own right: nothing was hidden. "0" is an answer without
a head (HTTP/0.9).
"""

from typing import NamedTuple

from tests.hostile.bytes_of import (
    AS_A_CHUNK,
    CHUNKED,
    CODEX,
    END,
    HEALTH,
    HIDDEN,
    NONE,
    TURN,
    UPGRADE,
    length,
    send,
)

# Whose answers the tables have. Others may refuse more of it or less by themselves.
NGINX = "1.22"


class Attempt(NamedTuple):
    name: str
    behind_nginx: str
    direct: str
    sent: bytes


HIDDEN_BEHIND_END = END + HIDDEN
IN_LENGTH = length(HIDDEN_BEHIND_END)


def with_length(*lines: str) -> bytes:
    """One reader sees an empty chunked body and a request, the other one body."""
    return send(TURN, IN_LENGTH, *lines, body=HIDDEN_BEHIND_END)


def by_length(*lines: str) -> bytes:
    return send(TURN, *lines, body=HIDDEN)


def in_chunks(body: bytes) -> bytes:
    return send(TURN, CHUNKED, body=body)


LENGTH_OR_CHUNKS = [
    ("CL.TE", "400", "401", with_length(CHUNKED)),
    ("TE.CL", "400", "401", send(TURN, CHUNKED, "Content-Length: 4", body=AS_A_CHUNK)),
    ("TE and a length of 0", "400", "401", send(TURN, CHUNKED, NONE, body=AS_A_CHUNK)),
    ("another case", "400", "401", with_length("tRANSFER-eNCODING: cHUNKED")),
    ("unknown encoding", "501", "401", with_length("Transfer-Encoding: xchunked")),
    ("no encoding", "501", "401", with_length("Transfer-Encoding:")),
    ("quoted encoding", "501", "401", with_length('Transfer-Encoding: "chunked"')),
    ("space before the colon", "400", "400",
     with_length("Transfer-Encoding : chunked")),
    ("tab before the value", "501", "401", with_length("Transfer-Encoding:\tchunked")),
    ("vertical tab", "501", "400", with_length("Transfer-Encoding: \x0bchunked")),
    ("form feed", "501", "400", with_length("Transfer-Encoding: chunked\x0c")),
    ("no-break space", "501", "401", with_length("Transfer-Encoding:\xa0chunked")),
    ("NUL in the encoding", "400", "400", with_length("Transfer-Encoding: chunked\0")),
    ("semicolon in the name", "401 200", "400",
     with_length("Transfer-Encoding;:chunked")),
    ("underscore in the name", "401 200", "401 200",
     with_length("Transfer_Encoding: x")),
    ("TE, TE", "400", "401", with_length(CHUNKED, "Transfer-Encoding: identity")),
    ("TE twice", "400", "401", with_length(CHUNKED, CHUNKED)),
    ("identity, chunked", "501", "401",
     with_length("Transfer-Encoding: identity, chunked")),
    ("chunked, identity", "501", "401",
     with_length("Transfer-Encoding: chunked, identity")),
    ("gzip, chunked", "501", "401", with_length("Transfer-Encoding: gzip, chunked")),
    ("comma at the end", "501", "401", with_length("Transfer-Encoding: chunked,")),
    ("behind a bare LF", "400", "401",
     with_length("X-A: b\nTransfer-Encoding: chunked")),
    ("behind a bare CR", "400", "400",
     with_length("X-A: b\rTransfer-Encoding: chunked")),
    ("in a folded line", "400", "400",
     with_length("X-A: b", " Transfer-Encoding: chunked")),
    ("folded value", "400", "400", with_length("Transfer-Encoding:", " chunked")),
    (
        "HTTP/1.0 with both",
        "400",
        "401",
        send(
            f"POST {CODEX} HTTP/1.0",
            IN_LENGTH,
            CHUNKED,
            "Connection: keep-alive",
            body=HIDDEN_BEHIND_END,
        ),
    ),
    (
        "HTTP/1.0 in chunks",
        "400",
        "401",
        send(f"POST {CODEX} HTTP/1.0", CHUNKED, body=HIDDEN_BEHIND_END),
    ),
]  # fmt: skip

LENGTHS = [
    ("two lengths", "400", "400", by_length(NONE, length(HIDDEN))),
    ("two lengths, larger first", "400", "400", by_length(length(HIDDEN), NONE)),
    ("the same twice", "400", "401 200", by_length(length(HIDDEN), length(HIDDEN))),
    ("two in one line", "400", "400", by_length(f"Content-Length: 0, {len(HIDDEN)}")),
    ("plus", "400", "400", by_length(f"Content-Length: +{len(HIDDEN)}")),
    ("minus", "400", "400", by_length("Content-Length: -1")),
    ("hexadecimal", "400", "400", by_length(f"Content-Length: 0x{len(HIDDEN):x}")),
    ("float", "400", "400", by_length("Content-Length: 1e2")),
    ("with a space", "400", "400", by_length("Content-Length: 0 1")),
    ("empty", "400", "400", by_length("Content-Length: ")),
    ("superscript two", "400", "400", by_length("Content-Length: \xb2")),
    ("beyond 64 bits", "400", "400", by_length(f"Content-Length: {2**64 + 4}")),
    ("5,000 digits", "400", "400", by_length("Content-Length: " + "9" * 5000)),
    ("vertical tab before", "400", "400",
     by_length(f"Content-Length: \x0b{len(HIDDEN)}")),
    ("space before its colon", "400", "400",
     by_length(f"Content-Length : {len(HIDDEN)}")),
    ("underscore", "401 401 200", "401 401 200",
     by_length(f"Content_Length: {len(HIDDEN)}")),
    ("named by Connection", "401 200", "401 200",
     by_length(length(HIDDEN), "Connection: Content-Length")),
    ("GET with a body", "200 200", "200 200",
     send(HEALTH, length(HIDDEN), body=HIDDEN)),
    ("GET in chunks", "200 200", "200 200", send(HEALTH, CHUNKED, body=AS_A_CHUNK)),
    ("HEAD with a body", "200 200", "200 200",
     send("HEAD /health HTTP/1.1", length(HIDDEN), body=HIDDEN)),
    ("DELETE with a body", "401 200", "401 200",
     send("DELETE /api/keys/x HTTP/1.1", length(HIDDEN), body=HIDDEN)),
    ("OPTIONS with a body", "401 200", "401 200",
     send(f"OPTIONS {CODEX} HTTP/1.1", length(HIDDEN), body=HIDDEN)),
]  # fmt: skip

CHUNKS = [
    ("size beyond 64 bits", "400", "401",
     in_chunks(b"1" + b"0" * 16 + b"5\r\n" + HIDDEN)),
    ("size below 0", "400", "401", in_chunks(b"-5\r\nhello\r\n" + HIDDEN_BEHIND_END)),
    ("size with 0x", "400", "401", in_chunks(b"0x0\r\n\r\n" + HIDDEN)),
    ("size with a plus", "400", "401", in_chunks(b"+0\r\n\r\n" + HIDDEN)),
    ("size with an underscore", "400", "401", in_chunks(b"1_0\r\n" + HIDDEN)),
    ("space before the size", "400", "401", in_chunks(b" 0\r\n\r\n" + HIDDEN)),
    ("no size", "400", "401", in_chunks(b"\r\n\r\n" + HIDDEN)),
    ("data longer than its size", "400", "401", in_chunks(b"1\r\nabc\r\n" + HIDDEN)),
    ("no end of the data", "400", "401", in_chunks(b"3\r\nabc0\r\n\r\n" + HIDDEN)),
    ("CR in an extension", "400", "401", in_chunks(b"0;\r\r\n\r\n" + HIDDEN)),
    ("LF in an extension", "401 401 200", "401",
     in_chunks(b"2;\nxx\r\n" + HIDDEN_BEHIND_END)),
    ("long extension", "401 401 200", "401",
     in_chunks(b"0;" + b"a" * 5000 + b"\r\n\r\n" + HIDDEN)),
    ("lines that end with LF", "401 401 200", "401", in_chunks(b"0\n\n" + HIDDEN)),
    ("trailers of a proxy", "401 401 200", "401",
     in_chunks(b"0\r\nX-Forwarded-For: 127.0.0.1\r\nHost: localhost\r\n\r\n" + HIDDEN)),
    ("a request as trailers", "401 400", "401", in_chunks(b"0\r\n" + HIDDEN)),
]  # fmt: skip

LINES = [
    ("pipelined", "401 401 200", "401 401 200", send(TURN, NONE, body=HIDDEN)),
    ("LF alone", "401 401 200", "401 401 200",
     send(TURN, NONE).replace(b"\r\n", b"\n") + HIDDEN),
    ("CR alone", "400", "400", send(TURN, NONE).replace(b"\r\n", b"\r") + HIDDEN),
    ("NUL in a name", "400", "400", send(TURN, "X-\0A: b", NONE)),
    ("NUL in a value", "400", "400", send(TURN, "X-A: \0b", NONE)),
    ("control character in a value", "400 200", "400", send(TURN, "X-A: \x01b", NONE)),
    ("no colon", "400", "400", send(TURN, "Content-Length 0", NONE)),
    ("no name", "400", "400", send(TURN, ": x", NONE)),
    ("space before a colon", "400", "400", send(TURN, "X-A : b", NONE)),
    ("folded header", "400", "400", send(TURN, "X-A: b", "\tX-B: c", NONE)),
    ("space before the first header", "400", "400",
     send(TURN, " Host: localhost", host=None)),
    ("no Host", "400", "400", send(TURN, NONE, host=None)),
    ("two Hosts", "400", "400", send(TURN, "Host: localhost", NONE)),
    ("HTTP/0.9", "0", "400", f"GET {CODEX}\r\n".encode()),
    ("HTTP/1.0 without Host", "401", "401", send(f"POST {CODEX} HTTP/1.0", host=None)),
    ("HTTP/2 in the clear", "400", "400",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
    ("HTTP/9.9", "505", "400", send(f"POST {CODEX} HTTP/9.9", NONE)),
    ("line with a tab", "400", "400", send(TURN.replace(" ", "\t"), NONE)),
    ("line with two versions", "400", "400", send(TURN + " HTTP/1.1", NONE)),
    ("method with a control character", "400", "400", send("PO\x01" + TURN, NONE)),
    ("unknown method", "405 200", "405", send(f"SMUGGLE {CODEX} HTTP/1.1", NONE)),
    ("method of a handler's name", "405 200", "405", send(f"PREPARE {CODEX} HTTP/1.1")),
    ("TRACE", "405", "405", send("TRACE /health HTTP/1.1", "Cookie: secret")),
    ("CONNECT", "400", "405", send("CONNECT 127.0.0.1:80 HTTP/1.1")),
]  # fmt: skip

SWITCHES = [
    ("h2c", "401 401 200", "401 401 200",
     send(TURN, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
          "HTTP2-Settings: AAMAAABkAAQAAP__", NONE, body=HIDDEN)),
    ("TLS", "401 401 200", "401 401 200",
     send(TURN, "Connection: Upgrade", "Upgrade: TLS/1.0", NONE, body=HIDDEN)),
    ("refused socket", "401 401 200", "401 401 200",
     send(f"GET {CODEX} HTTP/1.1", *UPGRADE, body=HIDDEN)),
    ("socket of an unknown version", "401 401 200", "401 401 200",
     send(f"GET {CODEX} HTTP/1.1", *UPGRADE[:2], "Sec-WebSocket-Version: 777",
          body=HIDDEN)),
    ("socket where none is", "200 401 200", "200 401 200",
     send(HEALTH, *UPGRADE, body=HIDDEN)),
    ("socket with a body", "401 200", "401 200",
     send(f"GET {CODEX} HTTP/1.1", *UPGRADE, length(HIDDEN), body=HIDDEN)),
    ("socket with chunks", "401 200", "401",
     send(f"GET {CODEX} HTTP/1.1", *UPGRADE, CHUNKED, body=AS_A_CHUNK)),
    ("socket by POST", "401 200", "401 200",
     send(TURN, *UPGRADE, length(HIDDEN), body=HIDDEN)),
    ("two upgrades", "401 401 200", "401 401 200",
     send(f"GET {CODEX} HTTP/1.1", *UPGRADE, "Upgrade: h2c", body=HIDDEN)),
    ("folded upgrade", "400", "400",
     send(f"GET {CODEX} HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", " x")),
    ("asked to go on", "100 401 200", "401",
     send(TURN, "Expect: 100-continue", length(HIDDEN), body=HIDDEN)),
    ("asked for something else", "401 401 200", "401",
     send(TURN, "Expect: 200-ok", NONE, body=HIDDEN)),
    ("asked twice", "400", "401",
     send(TURN, "Expect: 100-continue", "Expect: 100-continue", NONE, body=HIDDEN)),
]  # fmt: skip

SMUGGLING = [
    Attempt(*row) for row in (*LENGTH_OR_CHUNKS, *LENGTHS, *CHUNKS, *LINES, *SWITCHES)
]
