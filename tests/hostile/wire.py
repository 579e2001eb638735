"""Bytes of an attacker's own over a socket, and every answer that comes back."""

import asyncio
from dataclasses import dataclass

DEADLINE = 20.0  # for a whole conversation, on a busy machine


@dataclass(frozen=True)
class Answer:
    """One response as it stood on the connection."""

    status: int
    headers: dict[str, str]  # lower-case names
    body: bytes
    head: bytes  # as it came


async def talk(port: int, sent: bytes, *, of_head: bool = False) -> list[Answer]:
    """Every answer up to the end of the connection, which `sent` has to bring about.

    `of_head`: the first answer is that of a HEAD request, and has no body.
    """
    return answers(await exchange(port, sent), of_head=of_head)


async def exchange(port: int, sent: bytes) -> bytes:
    """Whatever comes back until the peer hangs up; fails when it does not."""
    received = b""
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent)
            while chunk := await reader.read(65536):
                received += chunk
        except ConnectionError:
            pass  # hung up in the middle of ours
        finally:
            writer.transport.abort()
    return received


def answers(received: bytes, *, of_head: bool = False) -> list[Answer]:
    """Take a connection's bytes apart. What is no HTTP/1 answer has status 0."""
    found: list[Answer] = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        if not first.startswith(b"HTTP/1."):
            return [*found, Answer(0, {}, received, b"")]
        status = int(first.split()[1])
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if status < 200 or (of_head and not found):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, rest = _dechunked(rest)
        elif (length := headers.get("content-length")) is not None:
            body, rest = rest[: int(length)], rest[int(length) :]
        else:
            body, rest = rest, b""
        found.append(Answer(status, headers, body, head))
        received = rest
    return found


def _dechunked(rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body += rest[:length]
        rest = rest[length + 2 :]
        if not length:
            break
    return body, rest
