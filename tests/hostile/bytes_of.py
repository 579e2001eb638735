"""Requests as bytes, so that they may be as wrong as an attacker likes."""

import json

CODEX = "/backend-api/codex/responses"
TURN = f"POST {CODEX} HTTP/1.1"
HEALTH = "GET /health HTTP/1.1"
CHUNKED = "Transfer-Encoding: chunked"
NONE = "Content-Length: 0"
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def send(
    line: str = TURN,
    *lines: str,
    host: str | None = "gateway.example.com",
    body: bytes = b"",
) -> bytes:
    """A request as it is written: nothing is added but the Host, nothing checked."""
    hosts = () if host is None else (f"Host: {host}",)
    head = "\r\n".join((line, *hosts, *lines, "", ""))
    return head.encode("latin-1") + body


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def turn(prompt: str = "hi", **more: object) -> bytes:
    """The body of a turn."""
    said = [{"role": "user", "content": prompt}]
    fields = {"model": "gpt-5.5", "instructions": "", "input": said, "stream": True}
    return json.dumps(fields | more).encode()


# What is to get through unseen: a turn that looks as if it came from this machine. A
# gateway on which no key was ever made would serve it.
HIDDEN = send(
    TURN,
    "Content-Type: application/json",
    length(turn()),
    host="localhost",
    body=turn(),
)
# Ends each conversation, and tells whether the connection still means what it should.
FOLLOW_UP = send(HEALTH, "Connection: close")
END = b"0\r\n\r\n"
AS_A_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
