"""What clients send by hand, and whether the gateway minds."""

import asyncio
import json
import struct

from tests.serving import CODEX, payload

# A request: the last header and the body come behind its head.
HEAD = b"POST " + CODEX.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
BODY = json.dumps(payload()).encode()
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


async def still_serves(serving):
    assert (await serving.ask()).status == 200


def frame(payload_bytes, opcode=1, *, fin=True, rsv=0, mask=b"\1\2\3\4", length=None):
    size = len(payload_bytes) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    flag = 0x80 if mask else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + payload_bytes
    keys = (mask * (len(payload_bytes) // 4 + 1))[: len(payload_bytes)]
    masked = bytes(a ^ b for a, b in zip(payload_bytes, keys, strict=True))
    return head + mask + masked


async def raw_socket(serving, path=CODEX, lines=b"", port=None):
    port = port or serving.server.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
        % (path.encode(), lines)
    )
    assert b" 101 " in await reader.readline()
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer
